import { X } from "lucide-react";
import { cancel } from "../app/run";
import type { Job } from "../server/service";
import { useDocuments } from "../stores/documents";
import { useRun } from "../stores/run";
import { t } from "../strings";

/** Jobs that run, wait, and have ended. */
export function Queue() {
  const list = useRun((run) => run.list);
  if (list.length === 0) return <p className="empty">{t.queue.empty}</p>;
  const order = { in_progress: 0, pending: 1, completed: 2, failed: 2, cancelled: 2 };
  const rows = [...list].sort(
    (one, other) => order[one.status] - order[other.status] || other.create_time - one.create_time,
  );
  return (
    <ul className="queue">
      {rows.map((job) => (
        <Row key={job.id} job={job} />
      ))}
    </ul>
  );
}

function Row({ job }: { job: Job }) {
  const tabs = useDocuments((documents) => documents.tabs);
  const tab = tabs.find(({ id }) => id === job.workflow_id);
  const waits = job.status === "pending" || job.status === "in_progress";
  return (
    <li className={`queue-job queue-${job.status}`}>
      <span className="queue-mark" aria-hidden="true" />
      <button
        type="button"
        className="queue-name"
        disabled={!tab}
        onClick={() => tab && useDocuments.getState().activate(tab.id)}
      >
        {tab?.name ?? t.queue.job(job.id.slice(0, 8))}
      </button>
      <span className="queue-state">{stateText(job)}</span>
      {job.status === "in_progress" && <JobProgress id={job.id} />}
      {waits && (
        <button
          type="button"
          className="icon-button"
          aria-label={t.queue.cancel}
          title={t.queue.cancel}
          onClick={() => void cancel(job.id)}
        >
          <X size={14} />
        </button>
      )}
      {job.execution_error && (
        <p className="queue-error">{job.execution_error.exception_message}</p>
      )}
    </li>
  );
}

function JobProgress({ id }: { id: string }) {
  const part = useRun((run) => {
    const nodes = Object.values(run.jobs[id]?.nodes ?? {});
    const running = nodes.find((node) => node.state === "running");
    return running && running.max > 0 ? running.value / running.max : 0;
  });
  return (
    <div className="queue-progress">
      <div style={{ transform: `scaleX(${part})` }} />
    </div>
  );
}

function stateText(job: Job): string {
  const { execution_start_time: start, execution_end_time: end } = job;
  if (job.status === "completed" && start !== undefined && end !== undefined) {
    return t.seconds((end - start) / 1000);
  }
  return t.queue.states[job.status];
}
