/** Where the nodes of a prompt stand in their workflow. */

import { type GraphNode, ROOT, sheetOf, type Workflow } from "./model";

export interface Place {
  node: GraphNode;
  /** The sheet it stands on. */
  sheet: string;
  /** The way there: each node that is entered, and the sheet inside of it. */
  path: { host: string; sheet: string }[];
}

/** The node of a prompt's id: "12:7" is node 7 inside of node 12, "7.0.2" came out of node 7. */
export function locate(workflow: Workflow, id: string): Place | undefined {
  const path: Place["path"] = [];
  let sheet = ROOT;
  const steps = id.split(":");
  for (const [depth, step] of steps.entries()) {
    const { nodes } = sheetOf(workflow, sheet);
    const node = nodes[step] ?? nodes[step.split(".")[0] ?? ""];
    if (!node) return undefined;
    const inside = workflow.subgraphs[node.type];
    if (depth === steps.length - 1 || !inside) return { node, sheet, path };
    sheet = node.type;
    path.push({ host: node.id, sheet });
  }
  return undefined;
}
