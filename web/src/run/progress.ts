/** Jobs as the service tells of them: pure, and what did not change stays the same object. */

import type { Workflow } from "../graph/model";
import type { Message } from "../server/socket";

export type NodeState = "running" | "done" | "cached" | "failed";

/** When a node ran, by the service's clock in milliseconds, and in which of its lanes. */
export interface Span {
  lane: string;
  began: number;
  /** Not there while it runs. */
  seconds?: number;
  /** Before that, weights were loaded for so long. */
  loading?: number;
}

export interface NodeRun {
  state: NodeState;
  value: number;
  max: number;
  /** Clock times in milliseconds. */
  started?: number;
  ended?: number;
  span?: Span;
  /** What an output node showed, as the service put it. */
  shown?: Record<string, unknown>;
  /** Address of the latest preview. */
  preview?: string;
  error?: string;
}

export type JobState = "pending" | "running" | "done" | "failed" | "cancelled";

export interface JobRun {
  id: string;
  workflow: string | null;
  state: JobState;
  nodes: Record<string, NodeRun>;
  /** When it was queued, by the service's clock in milliseconds. */
  created?: number;
  /** The workflow as it was when it was queued: what failed then holds as long as it is the same. */
  queuedAs?: Workflow;
  started?: number;
  ended?: number;
  error?: string;
}

export type Jobs = Record<string, JobRun>;

export const isOver = (job: JobRun): boolean => job.state !== "pending" && job.state !== "running";

export function newJob(id: string, workflow: string | null): JobRun {
  return { id, workflow, state: "pending", nodes: {} };
}

/** The jobs after a message; those that nobody here knows are taken up without a workflow. */
export function told(jobs: Jobs, message: Message, now: number): Jobs {
  if (message.type === "status") return jobs;
  const id = message.data.prompt_id;
  if (id === undefined) return jobs;
  const job = jobs[id] ?? newJob(id, null);
  const next = step(job, message, now);
  return next === jobs[id] ? jobs : { ...jobs, [id]: next };
}

function step(job: JobRun, message: Exclude<Message, { type: "status" }>, now: number): JobRun {
  switch (message.type) {
    case "execution_start":
      return { ...job, state: "running", nodes: {}, started: now, error: undefined };
    case "execution_cached":
      return message.data.nodes.reduce((all, node) => cached(all, node), job);
    case "progress_state":
      return Object.entries(message.data.nodes).reduce(
        (all, [node, at]) => progressed(all, node, at, now, message.data.spans?.[node]),
        job.state === "pending" ? { ...job, state: "running" as const } : job,
      );
    case "executing":
      return job;
    case "executed": {
      const shown = message.data.output ?? undefined;
      const node = job.nodes[message.data.node];
      const base: NodeRun = node ?? { state: "cached", value: 1, max: 1 };
      return withNode(job, message.data.node, { ...base, shown });
    }
    case "execution_success":
      return { ...job, state: "done", ended: now };
    case "execution_interrupted":
      return { ...stopped(job, now), state: "cancelled", ended: now };
    case "execution_error": {
      const { node_id, exception_message: error } = message.data;
      const failed = { ...stopped(job, now), state: "failed" as const, ended: now, error };
      if (!node_id) return failed;
      const node = job.nodes[node_id] ?? { value: 0, max: 1 };
      return withNode(failed, node_id, { ...node, state: "failed", error, ended: now });
    }
  }
}

function withNode(job: JobRun, id: string, node: NodeRun): JobRun {
  return { ...job, nodes: { ...job.nodes, [id]: node } };
}

const cached = (job: JobRun, id: string): JobRun =>
  withNode(job, id, { state: "cached", value: 1, max: 1 });

interface At {
  value: number;
  max: number;
  state: string;
}

function progressed(job: JobRun, id: string, at: At, now: number, span?: Span): JobRun {
  const node = job.nodes[id];
  const { value, max } = at;
  if (at.state === "finished") {
    // Of what was over before this page heard of the job, the span alone tells that it ran.
    const ran = node?.state === "running" || (span !== undefined && node?.span === undefined);
    if (ran) return withNode(job, id, { ...node, state: "done", value, max, ended: now, span });
    return node ? job : withNode(job, id, { state: "cached", value, max });
  }
  if (at.state !== "running") return job;
  const same = node?.state === "running" && node.value === value && node.max === max;
  if (same && (node.span || !span)) return job;
  const started = node?.state === "running" ? node.started : now;
  return withNode(job, id, {
    ...node,
    state: "running",
    value,
    max,
    started,
    ended: undefined,
    span,
  });
}

/** Nodes that ran when the job ended run no more. */
function stopped(job: JobRun, now: number): JobRun {
  const nodes = { ...job.nodes };
  for (const [id, node] of Object.entries(nodes)) {
    if (node.state === "running") delete nodes[id];
    if (node.state === "running" && node.shown) nodes[id] = { ...node, state: "done", ended: now };
  }
  return { ...job, nodes };
}

/** For how many seconds a node that is done ran. */
export const secondsOf = ({ span, started, ended }: NodeRun): number | undefined =>
  span?.seconds ?? (started && ended ? (ended - started) / 1000 : undefined);

/** What a node said of what it was given, and did its work all the same. */
export function warningsOf(run: NodeRun | undefined): string[] {
  const said = run?.shown?.warnings;
  return Array.isArray(said) ? said.filter((text) => typeof text === "string") : [];
}

/** A preview put on its node; the address it takes the place of, to be let go. */
export function previewed(
  jobs: Jobs,
  prompt: string,
  node: string,
  preview: string,
): { jobs: Jobs; old?: string } {
  const job = jobs[prompt];
  const run = job?.nodes[node];
  if (!job || run?.state !== "running") return { jobs, old: preview };
  return {
    jobs: { ...jobs, [prompt]: withNode(job, node, { ...run, preview }) },
    old: run.preview,
  };
}
