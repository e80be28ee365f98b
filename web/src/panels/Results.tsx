import { Download, FolderOpen, Trash2 } from "lucide-react";
import { useEffect, useState } from "react";
import { openJob } from "../app/files";
import { wordsOf } from "../app/run";
import { fetchMade, forgetJobs, type Made, viewAddress } from "../server/service";
import { useRun } from "../stores/run";
import { useUi } from "../stores/ui";
import { t } from "../strings";

const JOBS = 100;

/** What the newest jobs made, found by the words of their prompts. */
export function Results() {
  const list = useRun((run) => run.list);
  const [made, setMade] = useState<readonly Made[]>([]);
  const [query, setQuery] = useState("");
  const ended = list.filter(({ status }) => status === "completed").map(({ id }) => id);
  const newest = ended.join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked for again when jobs have ended
  useEffect(() => {
    let over = false;
    fetchMade(JOBS)
      .then((found) => !over && setMade(found))
      .catch((error) => useUi.getState().say(wordsOf(error), "error"));
    return () => {
      over = true;
    };
  }, [newest]);
  const words = query.toLowerCase().split(/\s+/);
  const found = made.filter((one) => words.every((word) => one.words.includes(word)));
  if (made.length === 0) return <p className="empty">{t.results.empty}</p>;
  return (
    <>
      <input
        className="results-search"
        type="search"
        aria-label={t.results.search}
        placeholder={t.results.search}
        value={query}
        onChange={(event) => setQuery(event.target.value)}
      />
      <ul className="results">
        {found.map((one) => (
          <Result key={one.key} made={one} />
        ))}
      </ul>
      {found.length === 0 && <p className="empty">{t.results.none}</p>}
    </>
  );
}

async function forget(id: string): Promise<void> {
  try {
    await forgetJobs([id]);
    await useRun.getState().refresh();
  } catch (error) {
    useUi.getState().say(wordsOf(error), "error");
  }
}

function Result({ made }: { made: Made }) {
  const { file, job, kind } = made;
  const source = viewAddress(file);
  const name = file.filename;
  const open = () => useUi.getState().set({ lightbox: { source, name } });
  return (
    <li className={kind === "sound" ? "result result-sound" : "result"}>
      {kind === "sound" ? (
        // biome-ignore lint/a11y/useMediaCaption: the graph's text is what is said
        <audio controls preload="metadata" src={source} />
      ) : (
        <button
          type="button"
          className="result-picture"
          aria-label={t.node.look(name)}
          onClick={open}
        >
          <img src={viewAddress(file, "webp;75")} alt={name} loading="lazy" />
        </button>
      )}
      <div className="result-row">
        <span title={name}>{name}</span>
        <button
          type="button"
          className="icon-button"
          aria-label={t.results.graph}
          title={t.results.graph}
          onClick={() => void openJob(job)}
        >
          <FolderOpen size={14} />
        </button>
        <a
          className="icon-button"
          href={source}
          download={name}
          aria-label={t.download}
          title={t.download}
        >
          <Download size={14} />
        </a>
        <button
          type="button"
          className="icon-button"
          aria-label={t.results.forget}
          title={t.results.forget}
          onClick={() => void forget(job)}
        >
          <Trash2 size={14} />
        </button>
      </div>
    </li>
  );
}
