/** One use of a node: on the sheet it stands on, by way of the hosts that were entered. What flows
 * into it comes through the walls of subgraphs. */

import type { Way, Workflow } from "./model";
import { ENTRY, EXIT, type GraphNode, type Json, linkInto, ROOT, sheetOf } from "./model";
import { proxies } from "./promoted";

/** A node, and the way to its sheet. */
export interface Use {
  node: GraphNode;
  path: Way;
}

/** The sheet that a way leads to. */
export const sheetAt = (path: Way): string => path.at(-1)?.sheet ?? ROOT;

/** The id in a prompt of a node that a way leads to: "12:7" is node 7 inside of node 12. */
export const promptId = (path: Way, node: string): string =>
  [...path.map(({ host }) => host), node].join(":");

/** The host whose inside a way leads to, one step back; undefined: it leads to the root. */
function hostOf(workflow: Workflow, path: Way): Use | undefined {
  const outer = path.slice(0, -1);
  const step = path.at(-1);
  const node = step && sheetOf(workflow, sheetAt(outer)).nodes[step.host];
  return node && { node, path: outer };
}

/** The name of the subgraph's input that enters an input of a node inside of it. */
function entryInto(workflow: Workflow, { node, path }: Use, input: string): string | undefined {
  const link = linkInto(sheetOf(workflow, sheetAt(path)), node.id, input);
  if (link?.from !== ENTRY) return undefined;
  return workflow.subgraphs[sheetAt(path)]?.inputs[link.slot]?.name;
}

/** The node that an input is linked to, through the walls of subgraphs in both directions;
 * undefined: to none. */
export function sourceOf(workflow: Workflow, use: Use, input: string): Use | undefined {
  const link = linkInto(sheetOf(workflow, sheetAt(use.path)), use.node.id, input);
  return link && giver(workflow, use.path, link.from, link.slot);
}

/** What gives an output of a sheet's node: of a host, the node inside. */
function giver(workflow: Workflow, path: Way, from: string, slot: number): Use | undefined {
  if (from === ENTRY) {
    const host = hostOf(workflow, path);
    const name = workflow.subgraphs[sheetAt(path)]?.inputs[slot]?.name;
    return host && name !== undefined ? sourceOf(workflow, host, name) : undefined;
  }
  const node = sheetOf(workflow, sheetAt(path)).nodes[from];
  const inside = node && workflow.subgraphs[node.type];
  if (!inside || path.some(({ sheet }) => sheet === inside.id)) return node && { node, path };
  const last = linkInto(inside.sheet, EXIT, String(slot));
  const way = [...path, { host: node.id, sheet: inside.id }];
  return last && giver(workflow, way, last.from, last.slot);
}

/** The value of a node's widget in one use: what the outermost host sets it to, else its own. */
export function valueIn(workflow: Workflow, use: Use, input: string): Json | undefined {
  const host = hostOf(workflow, use.path);
  const entered = host && entryInto(workflow, use, input);
  const proxy =
    host && proxies(host.node).find((one) => one.node === use.node.id && one.widget === input);
  const outside = [entered, proxy?.key].flatMap((name) => {
    const value = host && name !== undefined ? valueIn(workflow, host, name) : undefined;
    return value === undefined || value === null ? [] : [value];
  });
  return outside[0] ?? use.node.values[input];
}
