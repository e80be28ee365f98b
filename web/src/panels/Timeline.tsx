import "../theme/timeline.css";
import { Maximize2, Minus, Plus, Table, X } from "lucide-react";
import { useEffect, useState } from "react";
import { look } from "../canvas/look";
import { remembered } from "../run/listed";
import { isOver, type JobRun } from "../run/progress";
import { timeline } from "../run/timeline";
import { fetchJob } from "../server/service";
import type { Tab } from "../stores/documents";
import { useRun } from "../stores/run";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { running } from "../strings/running";
import { IconButton } from "../widgets/IconButton";
import { clamped, Lanes } from "./Lanes";
import { type Names, useNames } from "./names";
import { TimelineTable } from "./TimelineTable";

const w = running.timeline;
const TICK = 200;
/** Pictures of more nodes are drawn less often. */
const MANY = 300;
const SLOW = 1000;
const MOST_CACHED = 40;

/** Which lane ran which node of a job, and for how long. */
export default function TimelinePanel({ tab }: { tab: Tab }) {
  const asked = useUi((ui) => ui.timeline);
  const latest = useRun((run) => run.latest[tab.id]);
  const id = asked === "latest" ? latest : (asked ?? undefined);
  return (
    <section className="timeline" aria-label={w.label}>
      {id ? <Run key={id} id={id} tab={tab} /> : <Empty text={w.none} />}
    </section>
  );
}

function Run({ id, tab }: { id: string; tab: Tab }) {
  const { job, prompt, lost } = useJob(id);
  const names = useNames(tab, job?.workflow === tab.id, prompt);
  const [zoom, setZoom] = useState(1);
  const [table, setTable] = useState(false);
  if (!job) return <Empty text={lost ? w.away : t.waiting} />;
  const shown = timeline(job, Date.now());
  const zoomBy = (factor: number) => setZoom((old) => clamped(old * factor));
  const time = t.seconds(shown.length / 1000);
  return (
    <>
      <header className="timeline-header">
        <h2>{w.title}</h2>
        <span className="timeline-summary">
          {w.summary(shown.bars.length, shown.cached.length, shown.bars.length > 0 ? time : "")}
        </span>
        <IconButton label={w.out} disabled={table || zoom === 1} act={() => zoomBy(1 / 1.6)}>
          <Minus size={15} />
        </IconButton>
        <IconButton label={w.in} disabled={table} act={() => zoomBy(1.6)}>
          <Plus size={15} />
        </IconButton>
        <IconButton label={w.all} disabled={table || zoom === 1} act={() => setZoom(1)}>
          <Maximize2 size={14} />
        </IconButton>
        <IconButton
          label={table ? w.picture : w.table}
          pressed={table}
          act={() => setTable(!table)}
        >
          <Table size={15} />
        </IconButton>
        <CloseTool />
      </header>
      {shown.bars.length === 0 ? (
        <p className="empty">{isOver(job) ? w.nothing : t.waiting}</p>
      ) : table ? (
        <TimelineTable shown={shown} names={names} />
      ) : (
        <Lanes shown={shown} names={names} zoom={zoom} setZoom={setZoom} />
      )}
      {shown.cached.length > 0 && <Cached ids={shown.cached} names={names} />}
    </>
  );
}

const CloseTool = () => (
  <IconButton label={t.close} act={() => useUi.getState().set({ timeline: null })}>
    <X size={16} />
  </IconButton>
);

function Empty({ text }: { text: string }) {
  return (
    <>
      <header className="timeline-header">
        <h2>{w.title}</h2>
        <span className="timeline-summary" />
        <CloseTool />
      </header>
      <p className="empty">{text}</p>
    </>
  );
}

function Cached({ ids, names }: { ids: readonly string[]; names: Names }) {
  return (
    <ul className="timeline-cached" aria-label={w.cached}>
      <li className="timeline-cached-label" aria-hidden="true">
        {w.cached}
      </li>
      {ids.slice(0, MOST_CACHED).map((id) => (
        <li key={id}>
          <button type="button" onClick={() => look(id)}>
            {names(id).title}
          </button>
        </li>
      ))}
      {ids.length > MOST_CACHED && <li>{w.more(ids.length - MOST_CACHED)}</li>}
    </ul>
  );
}

interface Known {
  job: JobRun | undefined;
  prompt: unknown;
  lost: boolean;
}

const UNKNOWN: Known = { job: undefined, prompt: undefined, lost: false };

/** A job as it is heard of here, looked at a few times a second; else as the service knows it, which
 * is asked again and again about what runs for somebody else. */
function useJob(id: string): Known {
  const state = useRun((run) => run.jobs[id]?.state);
  const heard = useRun.getState().jobs[id];
  const [{ asOf, ...kept }, setKept] = useState<Known & { asOf?: JobRun["nodes"] }>(UNKNOWN);
  const live = heard !== undefined && !isOver(heard);
  const [, tick] = useState(0);
  useEffect(() => {
    if (!live) return;
    let timer = 0;
    const again = (): void => {
      tick((count) => count + 1);
      const { nodes = {} } = useRun.getState().jobs[id] ?? {};
      timer = window.setTimeout(again, Object.keys(nodes).length > MANY ? SLOW : TICK);
    };
    again();
    return () => window.clearTimeout(timer);
  }, [live, id]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked for again when the job goes on
  useEffect(() => {
    let over = false;
    let timer = 0;
    const nodes = () => useRun.getState().jobs[id]?.nodes;
    const ask = async (): Promise<void> => {
      const asOf = nodes();
      let goesOn = live;
      try {
        const detail = await fetchJob(id);
        if (over) return;
        const job = remembered(detail, detail.workflow_id ?? null);
        goesOn = !isOver(job);
        setKept({ job, prompt: detail.workflow?.prompt, lost: false, asOf });
      } catch {
        if (!over) setKept((old) => ({ ...old, lost: true }));
      }
      if (goesOn && !over) timer = window.setTimeout(() => later(asOf), SLOW);
    };
    /** What is heard of here need not be asked for. */
    const later = (asOf: JobRun["nodes"] | undefined): void => {
      if (nodes() === asOf) void ask();
      else timer = window.setTimeout(() => later(nodes()), SLOW);
    };
    void ask();
    return () => {
      over = true;
      window.clearTimeout(timer);
    };
  }, [id, state]);
  // What was interrupted, the service alone remembers; until it is asked, what was heard will do.
  const newer = heard?.nodes !== asOf && (live || !kept.job || !isOver(kept.job));
  const told = newer || !kept.job ? heard : undefined;
  const workflow = told?.workflow ?? kept.job?.workflow ?? null;
  return { ...kept, job: told ? { ...told, workflow } : kept.job };
}
