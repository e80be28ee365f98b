/** Where links really come from: through reroutes, bypassed nodes and the walls of subgraphs. */

import { type Catalog, isEditorOnly, isReroute, PRIMITIVE } from "./kinds";
import { ENTRY, type GraphNode, type Json, type Link, type Workflow } from "./model";
import { leaving, type Place, Unusable } from "./places";
import { shown } from "./promoted";
import { fits, socketsOf } from "./sockets";

/** What a link brings in the end. */
export type Origin =
  | { kind: "link"; node: string; slot: number }
  | { kind: "value"; value: Json }
  /** Nothing is there: a widget's own value stands. */
  | { kind: "loose" }
  /** It comes from a node that does not run. */
  | { kind: "cut" };

type Step = Origin | { kind: "onward"; place: Place; link: Link; instead?: Json };

const LOOSE: Origin = { kind: "loose" };
const CUT: Origin = { kind: "cut" };

/** What a link of a place brings. */
export function origin(workflow: Workflow, catalog: Catalog, start: Place, first: Link): Origin {
  const seen = new Map<Place, Set<string>>();
  const instead: Json[] = [];
  let [place, link] = [start, first];
  for (;;) {
    const known = seen.get(place) ?? new Set<string>();
    seen.set(place, known);
    if (known.has(link.id)) {
      throw new Unusable(
        `Node ${place.prefix}${link.from}: its links lead in a circle; remove one.`,
      );
    }
    known.add(link.id);
    const step = back(workflow, catalog, place, link);
    if (step.kind !== "onward") {
      const value = instead.at(-1);
      return step.kind === "loose" && value !== undefined ? { kind: "value", value } : step;
    }
    if (step.instead !== undefined) instead.push(step.instead);
    [place, link] = [step.place, step.link];
  }
}

/** One node back along a link. */
function back(workflow: Workflow, catalog: Catalog, place: Place, link: Link): Step {
  if (link.from === ENTRY && place.subgraph) return outwards(place, link.slot);
  const node = place.sheet.nodes[link.from];
  if (!node) return LOOSE;
  if (node.type === PRIMITIVE) {
    const value = node.values.value;
    return value === undefined || value === null ? LOOSE : { kind: "value", value };
  }
  if (node.mode === "muted") return CUT;
  if (node.mode === "bypassed" || isReroute(node.type)) {
    const before =
      node.mode === "bypassed"
        ? through(workflow, catalog, place, node, link)
        : place.into.get(node.id)?.values().next().value;
    return before ? { kind: "onward", place, link: before } : CUT;
  }
  const inner = place.inside.get(node.id);
  if (inner) {
    const last = leaving(inner, link.slot);
    return last ? { kind: "onward", place: inner, link: last } : CUT;
  }
  if (isEditorOnly(node.type)) return CUT;
  return { kind: "link", node: place.prefix + node.id, slot: link.slot };
}

/** From an input of a subgraph to what its host gets there. */
function outwards(place: Place, slot: number): Step {
  const name = place.subgraph?.inputs[slot]?.name;
  if (!place.host || !place.parent || name === undefined) return LOOSE;
  const value = place.given[name];
  const link = place.parent.into.get(place.host.id)?.get(name);
  if (link) return { kind: "onward", place: place.parent, link, instead: value };
  return value === undefined ? LOOSE : { kind: "value", value };
}

/** The link that goes on through a bypassed node: of the output's type, the same place first. */
export function through(
  workflow: Workflow,
  catalog: Catalog,
  place: Place,
  node: GraphNode,
  link: Link,
): Link | undefined {
  const sockets = socketsOf(workflow, node, catalog);
  const given = sockets.outputs[link.slot]?.type ?? link.type;
  const order = workflow.subgraphs[node.type] ? sockets.inputs : savedOrder(sockets.inputs);
  const linked = order.flatMap((socket, position) => {
    const entering = place.into.get(node.id)?.get(socket.name);
    if (!entering) return [];
    const received = socket.type === "*" ? entering.type : socket.type;
    return [{ entering, received, away: position !== link.slot }];
  });
  linked.sort((one, other) => Number(one.away) - Number(other.away));
  const exact = linked.find(({ received }) => received === given);
  return (exact ?? linked.find(({ received }) => fits(received, given)))?.entering;
}

/** Sockets that only links fill stand before those of widgets, in files as on the canvas. */
function savedOrder<T extends { widget?: boolean }>(inputs: readonly T[]): T[] {
  return [...inputs.filter((input) => !input.widget), ...inputs.filter((input) => input.widget)];
}

/** What an input of a subgraph that nothing enters gives a socket: its first widget's value. */
export function shared(
  workflow: Workflow,
  place: Place,
  link: Link,
  catalog: Catalog,
): [GraphNode, string] | undefined {
  if (!place.subgraph || link.from !== ENTRY) return undefined;
  return shown(workflow, place.subgraph, link.slot, catalog);
}
