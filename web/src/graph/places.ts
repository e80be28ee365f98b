/** A workflow unfolded: each use of a subgraph is a place of its own below the root's. */

import { isEditorOnly } from "./kinds";
import {
  EXIT,
  type GraphNode,
  type Json,
  type Link,
  type Sheet,
  type Subgraph,
  type Workflow,
} from "./model";
import { proxies } from "./promoted";

/** What a person gave cannot be used; the message says why, and what to do. */
export class Unusable extends Error {}

/** The root or one use of a subgraph. */
export interface Place {
  sheet: Sheet;
  /** Before the ids of its nodes in a prompt: "12:7:" in node 7 of node 12. */
  prefix: string;
  subgraph?: Subgraph;
  parent?: Place;
  host?: GraphNode;
  /** What the host sets: inputs of the subgraph by name. */
  given: Record<string, Json>;
  /** What hosts set widgets of nodes inside to. */
  imposed: Record<string, Record<string, Json>>;
  inside: Map<string, Place>;
  /** Links by where they enter: node, then input. */
  into: Map<string, Map<string, Link>>;
}

const DEEPEST = 50;
const MOST_NODES = 100_000;

const runs = (node: GraphNode): boolean => node.mode === "run";

/** The root with every use of a subgraph inside of it; throws `Unusable` where one contains
 * itself, or where there are too many. */
export function unfold(workflow: Workflow): Place {
  let count = 0;
  const open = (place: Place, chain: string[]): Place => {
    for (const node of Object.values(place.sheet.nodes)) {
      count += 1;
      if (count > MOST_NODES) {
        throw new Unusable(`Unfolded it has more than ${MOST_NODES} nodes; part it.`);
      }
      const subgraph = runs(node) ? workflow.subgraphs[node.type] : undefined;
      if (!subgraph) continue;
      const told = `Node ${place.prefix}${node.id} (${subgraph.name})`;
      if (chain.includes(subgraph.id)) {
        throw new Unusable(`${told} contains itself; take it out of itself.`);
      }
      if (chain.length >= DEEPEST) {
        throw new Unusable(`${told} is inside of ${DEEPEST} subgraphs; unpack some.`);
      }
      const inner = open(innerPlace(place, node, subgraph), [...chain, subgraph.id]);
      place.inside.set(node.id, inner);
    }
    return place;
  };
  return open(placeOf(workflow.root, ""), []);
}

function placeOf(sheet: Sheet, prefix: string): Place {
  const into = new Map<string, Map<string, Link>>();
  for (const link of Object.values(sheet.links)) {
    const links = into.get(link.to) ?? new Map<string, Link>();
    if (!into.has(link.to)) into.set(link.to, links);
    links.set(link.input, link);
  }
  return { sheet, prefix, given: {}, imposed: {}, inside: new Map(), into };
}

function innerPlace(parent: Place, host: GraphNode, subgraph: Subgraph): Place {
  const place = placeOf(subgraph.sheet, `${parent.prefix}${host.id}:`);
  const names = new Set(subgraph.inputs.map((input) => input.name));
  const inner = proxies(host);
  for (const [name, value] of Object.entries({
    ...host.values,
    ...parent.imposed[host.id],
  })) {
    if (value === null) continue;
    const proxy = inner.find((entry) => entry.key === name || entry.widget === name);
    if (names.has(name)) place.given[name] = value;
    else if (proxy)
      place.imposed[proxy.node] = { ...place.imposed[proxy.node], [proxy.widget]: value };
  }
  return { ...place, subgraph, parent, host };
}

/** Every node that is no subgraph, inner ones in the place of theirs. */
export function* walk(place: Place): Generator<[Place, GraphNode]> {
  for (const node of Object.values(place.sheet.nodes)) {
    const inner = place.inside.get(node.id);
    if (inner) yield* walk(inner);
    else yield [place, node];
  }
}

/** Whether a prompt has an entry for the node. */
export const isSent = (node: GraphNode): boolean => runs(node) && !isEditorOnly(node.type);

/** The link that stands for an output of a subgraph. */
export function leaving(place: Place, slot: number): Link | undefined {
  return place.into.get(EXIT)?.get(String(slot));
}
