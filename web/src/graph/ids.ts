/** The numbers of nodes: one that a node of a document had once is given to no other. What runs made,
 * and what was said of them, goes by these numbers. */

import { ROOT, type Sheet, sheetOf, type Workflow } from "./model";

/** The next state of a document, with the largest number that a node of it ever had. */
export function remembering(before: Workflow, next: Workflow): Workflow {
  if (next === before) return next;
  const lastNode = Math.max(largest(before), largest(next));
  return lastNode === next.lastNode ? next : { ...next, lastNode };
}

/** A document that was just read: its file may tell of a number that no node has any more. */
export function withLastNode(workflow: Workflow): Workflow {
  const told = Number(workflow.kept?.last_node_id);
  const isMore = told > largest(workflow) && told < MOST;
  return isMore ? { ...workflow, lastNode: told } : workflow;
}

/** Whoever wrote a larger one into a file did not count. */
const MOST = 1e9;

function largest(workflow: Workflow): number {
  const sheets = [ROOT, ...Object.keys(workflow.subgraphs)].map((key) => sheetOf(workflow, key));
  return sheets.reduce((most, sheet) => Math.max(most, largestOn(sheet)), workflow.lastNode ?? 0);
}

/** Looked for once on each sheet, since every edit asks. */
const LARGEST = new WeakMap<Sheet["nodes"], number>();

function largestOn({ nodes }: Sheet): number {
  const known = LARGEST.get(nodes);
  if (known !== undefined) return known;
  let most = 0;
  for (const id in nodes) {
    const number = Number(id);
    if (Number.isSafeInteger(number) && number > most) most = number;
  }
  LARGEST.set(nodes, most);
  return most;
}
