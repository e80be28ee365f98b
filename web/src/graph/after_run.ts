/** Numbers that change by themselves, and seeds. */

import type { Catalog } from "./kinds";
import { type AfterRun, type GraphNode, onSheet, ROOT, type Sheet, type Workflow } from "./model";
import { isNumeric, type Limits, type Numeric, stepped } from "./numbers";
import { fieldsOf } from "./promoted";

/** A workflow's numbers changed as after a run. */
export function afterRun(workflow: Workflow, catalog: Catalog, random: () => number): Workflow {
  const node = (one: GraphNode): GraphNode => {
    const values = valuesAfter(workflow, one, catalog, random);
    return values === one.values ? one : { ...one, values };
  };
  const sheets = [ROOT, ...Object.keys(workflow.subgraphs)];
  return sheets.reduce((all, sheet) => onSheet(all, sheet, (one) => each(one, node)), workflow);
}

function each(sheet: Sheet, edit: (node: GraphNode) => GraphNode): Sheet {
  const nodes = { ...sheet.nodes };
  let changed = false;
  for (const node of Object.values(sheet.nodes)) {
    const edited = edit(node);
    changed ||= edited !== node;
    nodes[node.id] = edited;
  }
  return changed ? { ...sheet, nodes } : sheet;
}

function valuesAfter(
  workflow: Workflow,
  node: GraphNode,
  catalog: Catalog,
  random: () => number,
): GraphNode["values"] {
  const host = workflow.subgraphs[node.type] !== undefined;
  if (!host && Object.keys(node.after).length === 0) return node.values;
  let values = node.values;
  for (const { name, widget, default: inside, after: usual } of fieldsOf(workflow, node, catalog)) {
    // A number that the host leaves to the node inside changes there.
    if (host && node.after[name] === undefined && values[name] === undefined) continue;
    const after = node.after[name] ?? usual ?? "fixed";
    const value = values[name] ?? (host ? inside : undefined);
    if (widget?.kind !== "number" || !isNumeric(value) || after === "fixed") continue;
    const next = moved(value, after, widget, random);
    if (next !== value) values = { ...values, [name]: next };
  }
  return values;
}

/** Seeds are drawn below this, so that they can be read out and typed again. */
const SEEDS = 2 ** 50;

function moved(value: Numeric, after: AfterRun, limits: Limits, random: () => number): Numeric {
  if (after === "randomize") return newSeed(limits, random);
  return stepped(value, after === "increment" ? 1 : -1, "usual", limits);
}

/** A seed drawn within limits; `random` gives numbers from 0 to below 1. */
export function newSeed(limits: Limits, random: () => number): number {
  const least = Math.max(0, Number(limits.min));
  return least + Math.floor(random() * (Math.min(Number(limits.max), SEEDS) - least + 1));
}
