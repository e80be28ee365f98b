/** The sockets of nodes, and which of them fit together. */

import { inputsOf } from "./dynamic";
import { type Catalog, type Folded, type InputKind, isReroute } from "./kinds";
import { ENTRY, type GraphNode, type Sheet, type Socket, subgraphOf, type Workflow } from "./model";
import { promoted } from "./promoted";

/** The sockets of a node, in the order in which they are drawn and saved. */
export interface Sockets {
  inputs: (Socket & { optional: boolean; kind?: InputKind })[];
  outputs: Socket[];
  /** Widgets without a socket: of nodes inside of a subgraph. */
  bare?: InputKind[];
}

/** Inputs that only a link brings come first, then widgets, each in the kind's order. */
export function socketsOf(
  workflow: Folded,
  node: GraphNode,
  catalog: Catalog,
  linked?: ReadonlySet<string>,
): Sockets {
  const subgraph = workflow.subgraphs[node.type];
  if (subgraph) {
    const { sockets, bare } = promoted(workflow, node, subgraph, catalog);
    const inputs = subgraph.inputs.map((socket) => {
      const kind = sockets.get(socket.name);
      return { ...socket, optional: true, ...(kind ? { widget: true, kind } : {}) };
    });
    return { inputs, outputs: subgraph.outputs, bare };
  }
  const kind = catalog.get(node.type);
  const extra = (node.inputs ?? []).map((socket) => ({ ...socket, optional: true }));
  if (!kind) return { inputs: extra, outputs: node.outputs ?? [] };
  const declared = inputsOf(kind, node.values, linked).map((input) => ({
    name: input.name,
    type: input.type,
    optional: input.optional,
    widget: input.widget !== undefined,
    kind: input,
  }));
  return {
    inputs: [
      ...declared.filter((input) => !input.widget),
      ...declared.filter((input) => input.widget),
      ...extra.filter((socket) => !declared.some((input) => input.name === socket.name)),
    ],
    outputs: kind.outputs.map(({ name, type }) => ({ name, type })),
  };
}

/** The type that an output really gives: reroutes give what they get. */
export function outputType(
  workflow: Workflow,
  sheet: Sheet,
  catalog: Catalog,
  id: string,
  slot: number,
): string {
  if (id === ENTRY) return subgraphOf(workflow, sheet)?.inputs[slot]?.type ?? "*";
  const seen = new Set<string>();
  let [at, from] = [id, slot];
  for (;;) {
    const node = sheet.nodes[at];
    if (!node) return "*";
    if (!isReroute(node.type) || seen.has(at)) {
      return socketsOf(workflow, node, catalog).outputs[from]?.type ?? "*";
    }
    seen.add(at);
    const link = Object.values(sheet.links).find((candidate) => candidate.to === at);
    if (!link) return "*";
    if (!sheet.nodes[link.from]) return link.type;
    [at, from] = [link.from, link.slot];
  }
}

/** Whether values of type `received` may enter an input of type `expected`; both may be lists. */
export function fits(received: string, expected: string): boolean {
  if (received === "*" || expected === "*") return true;
  const wanted = expected.split(",");
  return received.split(",").some((type) => wanted.includes(type));
}
