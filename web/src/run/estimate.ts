/** How long jobs will take, judged by those that ended. */

import type { Job } from "../server/service";

/** Milliseconds that the jobs of a workflow took lately, in the middle; of any, where none of it
 * ended yet; undefined: nothing ended. */
export function usual(
  ended: readonly Job[],
  workflow: string | null | undefined,
): number | undefined {
  const own = ended.filter((job) => workflow && job.workflow_id === workflow);
  return middle(durations(own)) ?? middle(durations(ended));
}

/** Milliseconds until all jobs are done, if those that wait go on side by side as these run. */
export function untilDone(
  running: readonly Job[],
  waiting: number,
  ended: readonly Job[],
  now: number,
): number | undefined {
  const each = usual(ended, null);
  if (each === undefined) return undefined;
  const left = running.map((job) => leftOf(job, ended, now) ?? each);
  const together = Math.max(1, running.length);
  return (waiting * each + left.reduce((sum, one) => sum + one, 0)) / together;
}

/** Milliseconds that a running job has left; undefined where it takes longer than usual. */
export function leftOf(job: Job, ended: readonly Job[], now: number): number | undefined {
  const each = usual(ended, job.workflow_id);
  const { execution_start_time: start } = job;
  if (each === undefined || start === undefined) return undefined;
  const left = each - Math.max(0, now - start);
  return left > 0 ? left : undefined;
}

function durations(ended: readonly Job[]): number[] {
  return ended.flatMap(({ status, execution_start_time: start, execution_end_time: end }) =>
    status === "completed" && start !== undefined && end !== undefined ? [end - start] : [],
  );
}

function middle(numbers: readonly number[]): number | undefined {
  return [...numbers].sort((one, other) => one - other)[Math.floor(numbers.length / 2)];
}
