import { ArrowLeft, Download, Music, Share2, TriangleAlert } from "lucide-react";
import { useEffect, useState } from "react";
import { complain } from "../app/run";
import { files, Shown } from "../canvas/Shown";
import { Voices } from "../canvas/Speaking";
import { showing } from "../graph/form";
import { titleOf } from "../graph/kinds";
import { locate } from "../graph/locate";
import type { GraphNode } from "../graph/model";
import { isOver, type JobRun, type NodeRun, warningsOf } from "../run/progress";
import { type File, fetchJob, fetchJobsOf, type Job, viewAddress } from "../server/service";
import { useCatalog } from "../stores/catalog";
import { failures } from "../stores/complaints";
import type { Tab } from "../stores/documents";
import { useLatestJob, useNodeRun, useRun } from "../stores/run";
import { t } from "../strings";
import { IconButton } from "../widgets/IconButton";
import { Picture } from "../widgets/Picture";

const EARLIER = 24;
const FILES = ["images", "gifs", "audio"];

/** What the newest run makes and made, or an earlier one; and the way to the others. */
export function FormResults({ tab }: { tab: Tab }) {
  const job = useLatestJob(tab.id);
  const [past, setPast] = useState<{ job: string; nodes: Record<string, NodeRun> } | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new run is looked at when it comes
  useEffect(() => setPast(null), [job?.id]);
  const look = async (id: string): Promise<void> => {
    try {
      const { outputs } = await fetchJob(id);
      const nodes = Object.entries(outputs).map(([node, shown]): [string, NodeRun] => [
        node,
        { state: "done", value: 1, max: 1, shown },
      ]);
      setPast({ job: id, nodes: Object.fromEntries(nodes) });
    } catch (error) {
      complain(error);
    }
  };
  return (
    <>
      {past ? (
        <button type="button" className="quiet form-back" onClick={() => setPast(null)}>
          <ArrowLeft size={15} /> {t.form.newest}
        </button>
      ) : (
        job?.error &&
        fails(job, tab) && (
          <p className="form-error" role="alert">
            {job.error}
          </p>
        )
      )}
      {past ? (
        <>
          <Past tab={tab} nodes={past.nodes} />
          <Remarks tab={tab} nodes={past.nodes} />
        </>
      ) : job ? (
        <>
          <Voices job={job.id} />
          <Newest tab={tab} />
          <Remarks tab={tab} nodes={job.nodes} />
        </>
      ) : (
        <p className="empty form-nothing">{t.form.nothing}</p>
      )}
      <Earlier tab={tab} shown={past?.job ?? job?.id} look={look} />
    </>
  );
}

/** Whether what a job failed by still stands; where no node failed it is of the job itself. */
const fails = (job: JobRun, tab: Tab): boolean =>
  Object.values(job.nodes).every(({ error }) => !error) ||
  failures(job, tab.history.present).length > 0;

function Newest({ tab }: { tab: Tab }) {
  const catalog = useCatalog((state) => state.catalog);
  const preview = useRun((run) => {
    const job = run.jobs[run.latest[tab.id] ?? ""];
    if (!job || isOver(job)) return undefined;
    return Object.values(job.nodes).find(({ state, preview }) => state === "running" && preview)
      ?.preview;
  });
  return (
    <>
      {preview && <img className="form-preview" src={preview} alt={t.node.preview} />}
      {showing(tab.history.present, catalog).map((node) => (
        <NodeResult key={node.id} tab={tab} node={node} />
      ))}
    </>
  );
}

function NodeResult({ tab, node }: { tab: Tab; node: GraphNode }) {
  const folded = tab.history.present.subgraphs[node.type] !== undefined;
  const run = useNodeRun(tab.id, node.id, folded);
  const catalog = useCatalog((state) => state.catalog);
  if (!run?.shown || !hasResult(run)) return null;
  return <Result title={titleOf(tab.history.present, node, catalog)} run={run} />;
}

function Past({ tab, nodes }: { tab: Tab; nodes: Record<string, NodeRun> }) {
  const catalog = useCatalog((state) => state.catalog);
  const workflow = tab.history.present;
  const made = Object.entries(nodes).filter(([, run]) => hasResult(run));
  return made.map(([id, run]) => {
    const node = workflow.root.nodes[id.split(":")[0] ?? ""];
    return <Result key={id} title={node ? titleOf(workflow, node, catalog) : id} run={run} />;
  });
}

/** What nodes said of what they were given, though they did their work. */
function Remarks({ tab, nodes }: { tab: Tab; nodes: Record<string, NodeRun> }) {
  const catalog = useCatalog((state) => state.catalog);
  const workflow = tab.history.present;
  const remarks = Object.entries(nodes).flatMap(([id, run]) =>
    warningsOf(run).map((text) => ({ id, text, node: locate(workflow, id)?.node })),
  );
  if (remarks.length === 0) return null;
  return (
    <ul className="form-remarks" aria-label={t.problems.remarks}>
      {remarks.map(({ id, text, node }) => (
        <li key={`${id} ${text}`}>
          <TriangleAlert size={14} aria-hidden="true" />
          <span>
            {node && <strong>{titleOf(workflow, node, catalog)}: </strong>}
            {text}
          </span>
        </li>
      ))}
    </ul>
  );
}

const hasResult = ({ shown = {} }: NodeRun): boolean =>
  Object.keys(shown).some((key) => key !== "warnings");

function Result({ title, run }: { title: string; run: NodeRun }) {
  return (
    <figure className="form-result">
      <figcaption>
        <span>{title}</span>
        {files(run.shown, FILES).map((file) => (
          <Actions key={viewAddress(file)} file={file} />
        ))}
      </figcaption>
      <Shown run={run} />
    </figure>
  );
}

function Actions({ file }: { file: File }) {
  const name = file.filename;
  return (
    <span className="form-actions">
      {"share" in navigator && (
        <IconButton label={t.form.share(name)} act={() => void share(file)}>
          <Share2 size={15} />
        </IconButton>
      )}
      <a
        className="icon-button"
        href={viewAddress(file)}
        download={name}
        aria-label={t.form.save(name)}
        title={t.form.save(name)}
      >
        <Download size={15} />
      </a>
    </span>
  );
}

/** Hands the file itself to another program of the device; where it takes no files, its address. */
async function share(file: File): Promise<void> {
  const url = viewAddress(file);
  try {
    const data = await (await fetch(url)).blob();
    const picture = new globalThis.File([data], file.filename, { type: data.type });
    const whole = { files: [picture], title: file.filename };
    await navigator.share(navigator.canShare(whole) ? whole : { url, title: file.filename });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return;
    complain(error);
  }
}

interface EarlierProps {
  tab: Tab;
  shown: string | undefined;
  look(id: string): void;
}

/** The workflow's last results in small. */
function Earlier({ tab, shown, look }: EarlierProps) {
  const [jobs, setJobs] = useState<readonly Job[]>([]);
  const ended = useRun((run) =>
    run.list
      .filter((job) => job.workflow_id === tab.id && job.status === "completed")
      .map(({ id }) => id)
      .join(),
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked for again when a job has ended
  useEffect(() => {
    let over = false;
    fetchJobsOf(tab.id, EARLIER)
      .then((found) => !over && setJobs(found))
      .catch((error) => complain(error));
    return () => {
      over = true;
    };
  }, [tab.id, ended]);
  const others = jobs.filter(({ preview_output }) => preview_output);
  if (others.length < 2) return null;
  return (
    <section className="form-earlier" aria-label={t.form.earlier}>
      <h2>{t.form.earlier}</h2>
      <ul>
        {others.map((job) => (
          <li key={job.id}>
            <button
              type="button"
              aria-current={job.id === shown ? "true" : undefined}
              aria-label={t.form.earlierOne(t.start.when(Date.now() - job.create_time))}
              onClick={() => look(job.id)}
            >
              <Thumb job={job} />
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Thumb({ job }: { job: Job }) {
  const file = job.preview_output;
  if (!file || file.mediaType === "audio") return <Music size={22} aria-hidden="true" />;
  return <Picture file={file} preview="webp;75" alt="" lazy />;
}
