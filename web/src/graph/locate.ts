/** Where the nodes of a prompt stand in their workflow. */

import { type Catalog, titleOf } from "./kinds";
import { type GraphNode, ordered, ROOT, sheetOf, type Workflow } from "./model";

/** A node of a prompt in its workflow. */
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

/** What people read of a node of a prompt: its title, after those of the hosts it is inside of. */
export function placeName(workflow: Workflow, { node, path }: Place, catalog: Catalog): string {
  const hosts = path.map(({ host }, depth) => {
    const sheet = sheetOf(workflow, path[depth - 1]?.sheet ?? ROOT);
    return sheet.nodes[host];
  });
  return [...hosts, node]
    .flatMap((one) => (one ? [titleOf(workflow, one, catalog)] : []))
    .join(" › ");
}

const NAMED = /Node ID '#([^']+)'|(?<![\p{L}\d])[Nn]ode (\d+(?:[:.]\d+)*)(?![\p{L}\d])/gu;

/** Words of the service about nodes, with their titles in the place of their ids. */
export function withNames(text: string, workflow: Workflow, catalog: Catalog): string {
  return text.replace(NAMED, (words, quoted?: string, plain?: string) => {
    const place = locate(workflow, quoted ?? plain ?? "");
    return place ? placeName(workflow, place, catalog) : words;
  });
}

/** A way from the root to a sheet: through the first node that stands for each subgraph. undefined:
 * no node leads there. */
export function wayTo(workflow: Workflow, sheet: string): Place["path"] | undefined {
  const seen = new Set([ROOT]);
  let ways: Place["path"][] = [[]];
  while (ways.length > 0) {
    const there = ways.find((way) => (way.at(-1)?.sheet ?? ROOT) === sheet);
    if (there) return there;
    ways = ways.flatMap((way) =>
      ordered(sheetOf(workflow, way.at(-1)?.sheet ?? ROOT)).flatMap(({ id, type }) => {
        if (!workflow.subgraphs[type] || seen.has(type)) return [];
        seen.add(type);
        return [[...way, { host: id, sheet: type }]];
      }),
    );
  }
  return undefined;
}
