/** Jobs as the service lists and remembers them, beside what was heard. */

import type { Job, JobDetail } from "../server/service";
import { isOver, type JobRun, type Jobs, type NodeRun, newJob } from "./progress";

/** Each job once, as it was listed last, the newest first. */
export function inOrder(jobs: readonly Job[]): Job[] {
  const each = new Map([...jobs].reverse().map((job) => [job.id, job]));
  return [...each.values()].sort((one, other) => other.create_time - one.create_time);
}

/** Jobs with what a list of the service says: whose they are, and the end of those whose end was
 * missed. */
export function listed(before: Jobs, list: readonly Job[]): Jobs {
  const jobs = { ...before };
  for (const job of [...list].reverse()) {
    const known = jobs[job.id];
    const workflow = job.workflow_id ?? known?.workflow ?? null;
    const state = STATES[job.status];
    if (known && isOver(known) && (state === "pending" || state === "running")) continue; // an old list
    if (state === "pending" || state === "running") {
      const created = job.create_time;
      jobs[job.id] = { ...(known ?? newJob(job.id, workflow)), workflow, state, created };
    } else if (known && !isOver(known)) {
      jobs[job.id] = { ...known, workflow, state };
    } else if (known && known.workflow !== workflow) {
      jobs[job.id] = { ...known, workflow };
    }
  }
  return jobs;
}

/** A job began before this page came, or it ended while the page did not hear. */
export function wasMissed(before: JobRun | undefined, now: JobRun | undefined): boolean {
  if (!now || now.state === "pending") return false;
  return isOver(now) ? before !== undefined && !isOver(before) : before?.started === undefined;
}

const STATES = {
  pending: "pending",
  in_progress: "running",
  completed: "done",
  failed: "failed",
  cancelled: "cancelled",
} as const;

/** A job as it was heard of here, and where that is silent as the service remembers it. */
export function joined(heard: JobRun, known: JobRun): JobRun {
  const nodes = { ...known.nodes };
  for (const [id, node] of Object.entries(heard.nodes)) {
    const stale = isOver(heard) ? node.state === "running" : node.state === "cached";
    if (!(stale && nodes[id])) nodes[id] = { ...nodes[id], ...node };
  }
  return { ...heard, nodes, error: heard.error ?? known.error };
}

/** A job of which nobody here heard. */
export function remembered(detail: JobDetail, workflow: string | null): JobRun {
  const nodes: Record<string, NodeRun> = {};
  for (const id of detail.cached) nodes[id] = { state: "cached", value: 1, max: 1 };
  for (const [id, span] of Object.entries(detail.spans)) {
    const state = span.seconds === undefined ? "running" : "done";
    nodes[id] = { state, value: state === "done" ? 1 : 0, max: 1, span };
  }
  for (const [id, shown] of Object.entries(detail.outputs)) {
    nodes[id] = { ...(nodes[id] ?? { state: "done", value: 1, max: 1 }), shown };
  }
  const failed = detail.execution_error;
  if (failed?.node_id) {
    nodes[failed.node_id] = { state: "failed", value: 0, max: 1, error: failed.exception_message };
  }
  const error = failed?.exception_message;
  return { id: detail.id, workflow, state: STATES[detail.status], nodes, error };
}
