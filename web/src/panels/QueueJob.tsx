import { ArrowUpToLine, ChartGantt, X } from "lucide-react";
import { openJob } from "../app/files";
import { cancel, guarded } from "../app/run";
import { type Job, moveToFront } from "../server/service";
import { useDocuments } from "../stores/documents";
import { useRun } from "../stores/run";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { running as words } from "../strings/running";
import { IconButton } from "../widgets/IconButton";

const w = words.queue;

interface Props {
  job: Job;
  now: number;
  /** Milliseconds that a running job has left. */
  left?: number | undefined;
  /** How many of those that wait are before it. */
  place?: number;
}

/** A job of the queue, and what can be done with it. */
export function QueueJob({ job, now, left, place }: Props) {
  const tab = useDocuments((state) => state.tabs.find(({ id }) => id === job.workflow_id));
  const open = job.status === "pending" || job.status === "in_progress";
  const name = tab?.name ?? t.queue.job(job.id.slice(0, 8));
  const show = (): void => {
    if (tab) useDocuments.getState().activate(tab.id);
    else void openJob(job.id);
  };
  return (
    <li className={`queue-job queue-${job.status}`}>
      <span className="queue-mark" aria-hidden="true" />
      <button type="button" className="queue-name" title={tab ? name : w.open} onClick={show}>
        {name}
      </button>
      <span className="queue-state">{stateOf(job, now, left, place)}</span>
      <span className="queue-tools">
        {place !== undefined && place > 0 && (
          <IconButton
            label={w.front}
            act={() =>
              void guarded(
                () => moveToFront(job.id),
                () => useRun.getState().refresh(),
              )
            }
          >
            <ArrowUpToLine size={14} />
          </IconButton>
        )}
        {job.status !== "pending" && (
          <IconButton label={w.timeline} act={() => useUi.getState().set({ timeline: job.id })}>
            <ChartGantt size={14} />
          </IconButton>
        )}
        {open && (
          <IconButton label={t.queue.cancel} act={() => void cancel(job.id)}>
            <X size={14} />
          </IconButton>
        )}
      </span>
      {job.status === "in_progress" && <JobProgress id={job.id} />}
      {job.execution_error && (
        <p className="queue-error">{job.execution_error.exception_message}</p>
      )}
    </li>
  );
}

function JobProgress({ id }: { id: string }) {
  const part = useRun((run) => {
    const nodes = Object.values(run.jobs[id]?.nodes ?? {});
    const working = nodes.find((node) => node.state === "running");
    return working && working.max > 0 ? working.value / working.max : 0;
  });
  return (
    <div className="queue-progress">
      <div style={{ transform: `scaleX(${part})` }} />
    </div>
  );
}

function stateOf(job: Job, now: number, left?: number, place?: number): string {
  const { execution_start_time: start, execution_end_time: end } = job;
  if (place !== undefined) return place === 0 ? w.next : w.place(place + 1);
  if (job.status === "completed" && start !== undefined && end !== undefined) {
    return t.seconds((end - start) / 1000);
  }
  if (job.status !== "in_progress" || start === undefined) return t.queue.states[job.status];
  const sofar = Math.max(0, Math.floor((now - start) / 1000));
  return left === undefined ? w.sofar(sofar) : w.left(sofar, left / 1000);
}
