/** What is wrong with nodes: found here before anybody asks, and said by the service. */

import { holds } from "../graph/cause";
import type { Workflow } from "../graph/model";
import type { Problem } from "../graph/problems";
import type { JobRun } from "../run/progress";
import type { NodeErrors } from "../server/http";
import { problemText } from "../strings/refused";

/** Why the service refused a workflow, and what that looked like then. */
export interface Refusals {
  errors: NodeErrors;
  then: Workflow;
  /** The rest of it was queued all the same. */
  partly: boolean;
  /** Somebody closed the notice of it. */
  read: boolean;
}

/** What the service said against a node, as long as nobody changed what led to it, and without
 * what is found here too: that is said with the remedy. */
export function complaints(
  refused: Refusals | undefined,
  prompt: string,
  now: Workflow,
  found: readonly Problem[],
): string[] {
  const said = refused?.errors[prompt]?.errors ?? [];
  if (!refused || said.length === 0) return [];
  if (!holds(refused.then, now, prompt)) return [];
  const known = new Set(found.flatMap((one) => ("input" in one ? [one.input] : [])));
  return said
    .filter(({ extra_info }) => !known.has(extra_info.input_name ?? ""))
    .map(({ message, details }) => (details ? `${message}: ${details}` : message));
}

/** What nodes of a job failed by, as long as nobody changed what led to it. */
export function failures(job: JobRun, now: Workflow): [node: string, text: string][] {
  return Object.entries(job.nodes).flatMap(([node, { error }]): [string, string][] =>
    error && stillFails(job, now, node) ? [[node, error]] : [],
  );
}

/** Whether a node that failed would fail again. */
export const stillFails = ({ queuedAs }: JobRun, now: Workflow, node: string): boolean =>
  queuedAs === undefined || holds(queuedAs, now, node);

/** What is wrong with values stands at the node at once; that a link is missing, once it was tried.
 * Of a model that is missing its widget tells, where that is `open` to be seen. */
export function wordsAt(found: readonly Problem[], tried: boolean, open: boolean): string[] {
  const isTold = (problem: Problem): boolean =>
    problem.kind === "unknown" ||
    (problem.kind === "missing" && !tried) ||
    (problem.kind === "option" && problem.model && open);
  return found.filter((problem) => !isTold(problem)).map((problem) => problemText(problem));
}
