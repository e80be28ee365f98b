import { guarded } from "../app/run";
import { leftOf, untilDone } from "../run/estimate";
import { clearHistory, clearQueue } from "../server/service";
import { useNow } from "../stores/clock";
import { useRun } from "../stores/run";
import { t } from "../strings";
import { running as words } from "../strings/running";
import { ConfirmButton } from "./ConfirmButton";
import { QueueJob } from "./QueueJob";

const w = words.queue;

/** The jobs of everybody: those that run, wait, and have ended. */
export function Queue() {
  const list = useRun((run) => run.list);
  const { waiting, total, shown } = useRun((run) => run.queue);
  const runs = list.filter(({ status }) => status === "in_progress");
  const ended = list.filter(({ status }) => status !== "in_progress" && status !== "pending");
  const now = useNow(runs.length > 0);
  if (runs.length + total + ended.length === 0) return <p className="empty">{t.queue.empty}</p>;
  const until = untilDone(runs, total, ended, now);
  return (
    <div className="queue">
      {runs.length > 0 && (
        <section aria-label={w.running}>
          <header className="queue-header">
            <h3>
              {w.running} <small>{runs.length}</small>
            </h3>
          </header>
          <ul>
            {runs.map((job) => (
              <QueueJob key={job.id} job={job} now={now} left={leftOf(job, ended, now)} />
            ))}
          </ul>
        </section>
      )}
      {total > 0 && (
        <section aria-label={w.waiting}>
          <header className="queue-header">
            <h3>
              {w.waiting} <small>{total.toLocaleString("en")}</small>
            </h3>
            <span className="queue-until">{until === undefined ? "" : w.until(until / 1000)}</span>
            <ConfirmButton
              label={w.clear}
              ask={w.sureClear(total)}
              act={() => void guarded(clearQueue, () => useRun.getState().refresh())}
            />
          </header>
          <ul>
            {waiting.map((job, place) => (
              <QueueJob key={job.id} job={job} now={now} place={place} />
            ))}
          </ul>
          {total > waiting.length && (
            <button
              type="button"
              className="queue-more"
              onClick={() => useRun.getState().showWaiting(shown * 4)}
            >
              {w.more(total - waiting.length)}
            </button>
          )}
        </section>
      )}
      {ended.length > 0 && (
        <section aria-label={w.ended}>
          <header className="queue-header">
            <h3>{w.ended}</h3>
            <ConfirmButton
              label={w.forget}
              ask={w.sureForget}
              act={() => void guarded(clearHistory, () => useRun.getState().refresh())}
            />
          </header>
          <ul>
            {ended.map((job) => (
              <QueueJob key={job.id} job={job} now={now} />
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}
