import { Download, FolderOpen, Trash2 } from "lucide-react";
import { openJob } from "../app/files";
import { wordsOf } from "../app/run";
import { forgetJobs, type Job, viewAddress } from "../server/service";
import { useRun } from "../stores/run";
import { useUi } from "../stores/ui";
import { t } from "../strings";

/** What the newest jobs made. */
export function Results() {
  const list = useRun((run) => run.list);
  const made = list.filter((job) => job.preview_output);
  if (made.length === 0) return <p className="empty">{t.results.empty}</p>;
  return (
    <ul className="results">
      {made.map((job) => (
        <Result key={job.id} job={job} />
      ))}
    </ul>
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

function Result({ job }: { job: Job }) {
  const file = job.preview_output;
  if (!file) return null;
  const source = viewAddress(file);
  const name = file.filename;
  const open = () => useUi.getState().set({ lightbox: { source, name } });
  return (
    <li className="result">
      {file.mediaType === "audio" ? (
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
          onClick={() => void openJob(job.id)}
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
          onClick={() => void forget(job.id)}
        >
          <Trash2 size={14} />
        </button>
      </div>
    </li>
  );
}
