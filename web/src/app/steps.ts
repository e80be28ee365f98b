/** The steps of undo as they are kept in the browser, beside the workflow that they led to. */

import { begin, type History } from "../graph/history";
import type { Workflow } from "../graph/model";

/** Steps that were kept. */
export interface Steps {
  version: 1;
  /** When that was: they belong to the draft of the same time alone. */
  changed: number;
  history: History<Workflow>;
}

/** Steps share what they have in common, but each has a list of its nodes of its own: so many
 * entries of such lists are written at once, without a pause that is felt. */
const MOST_ENTRIES = 20_000;
const LEAST_STEPS = 5;
const MOST_STEPS = 100;

/** The last steps that led to a workflow, and the next of those that were undone. */
export function lastSteps(changed: number, history: History<Workflow>): Steps {
  const { past, present, label, future } = history;
  const nodes = Object.keys(present.root.nodes).length;
  const most = Math.min(MOST_STEPS, Math.max(LEAST_STEPS, Math.floor(MOST_ENTRIES / (nodes + 1))));
  const kept = {
    past: past.slice(-most),
    present,
    label,
    future: future.slice(0, most),
    merge: null,
  };
  return { version: 1, changed, history: kept };
}

/** What led to a workflow that was kept at a time; itself alone, where that is not known. */
export const historyOf = (
  workflow: Workflow,
  changed: number,
  steps: Steps | undefined,
): History<Workflow> =>
  steps?.version === 1 && steps.changed === changed ? steps.history : begin(workflow);
