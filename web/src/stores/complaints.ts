/** What is wrong with nodes: found here before anybody asks, and said by the service. */

import { nodeChanges } from "../graph/diff";
import { type GraphNode, type Sheet, sheetOf, type Workflow } from "../graph/model";
import type { Problem } from "../graph/problems";
import type { NodeErrors } from "../server/http";
import { problemText } from "../strings/refused";

/** Why the service refused a workflow, and what that looked like then. */
export interface Refusals {
  errors: NodeErrors;
  then: Workflow;
}

const WITHOUT_MEANING = new Set(["moved", "look", "title", "afterRun"]);

/** What the service said against a node, as long as nobody changed what it said it of, and without
 * what is found here too: that is said with the remedy. */
export function complaints(
  refused: Refusals | undefined,
  prompt: string,
  now: Workflow,
  sheet: string,
  node: GraphNode,
  found: readonly Problem[],
): string[] {
  const said = refused?.errors[prompt]?.errors ?? [];
  if (!refused || said.length === 0) return [];
  if (isChanged(sheetOf(refused.then, sheet), sheetOf(now, sheet), node.id)) return [];
  const known = new Set(found.flatMap((one) => ("input" in one ? [one.input] : [])));
  return said
    .filter(({ extra_info }) => !known.has(extra_info.input_name ?? ""))
    .map(({ message, details }) => (details ? `${message}: ${details}` : message));
}

function isChanged(then: Sheet, now: Sheet, id: string): boolean {
  const [before, after] = [then.nodes[id], now.nodes[id]];
  if (!before || !after) return true;
  const changes = nodeChanges("", before, after);
  if (changes.some(({ kind }) => !WITHOUT_MEANING.has(kind))) return true;
  return then.links !== now.links && entering(then, id) !== entering(now, id);
}

const entering = ({ links }: Sheet, id: string): string =>
  Object.values(links)
    .flatMap(({ from, slot, to, input }) => (to === id ? [`${input} ${from} ${slot}`] : []))
    .sort()
    .join();

/** What is wrong with values stands at the node at once; that a link is missing, once it was tried.
 * Of a model that is missing its widget tells, where that is `open` to be seen. */
export function wordsAt(found: readonly Problem[], tried: boolean, open: boolean): string[] {
  const isTold = (problem: Problem): boolean =>
    problem.kind === "unknown" ||
    (problem.kind === "missing" && !tried) ||
    (problem.kind === "option" && problem.model && open);
  return found.filter((problem) => !isTold(problem)).map((problem) => problemText(problem));
}
