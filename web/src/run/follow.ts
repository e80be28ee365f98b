/** Which of a workflow's jobs its nodes show. */

import { isOver, type JobRun, type Jobs } from "./progress";

/** The jobs that workflows show, by workflow. */
export type Shown = Record<string, string>;

/** For each workflow the oldest job that runs, else the next one that waits, else the one that was
 * shown before. A workflow that was run by this page shows no other's job. */
export function follow(jobs: Jobs, shown: Shown, own: ReadonlySet<string>): Shown {
  const open = new Map<string, JobRun[]>();
  for (const job of Object.values(jobs)) {
    if (job.workflow === null || isOver(job)) continue;
    open.set(job.workflow, [...(open.get(job.workflow) ?? []), job]);
  }
  const next = { ...shown };
  let changed = false;
  for (const [workflow, all] of open) {
    const mine = all.filter(({ id }) => own.has(id));
    const theirs = own.has(shown[workflow] ?? "") ? [] : all;
    const job = first(mine.length > 0 ? mine : theirs);
    if (!job || shown[workflow] === job.id) continue;
    next[workflow] = job.id;
    changed = true;
  }
  return changed ? next : shown;
}

function first(jobs: readonly JobRun[]): JobRun | undefined {
  const age = (job: JobRun): number => job.created ?? Number.MAX_SAFE_INTEGER;
  return [...jobs].sort(
    (one, other) =>
      Number(other.state === "running") - Number(one.state === "running") || age(one) - age(other),
  )[0];
}
