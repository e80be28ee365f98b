/** Widgets of nodes inside of a subgraph, which a host (the node that it stands as elsewhere) shows
 * as its own. */

import { inputsOf } from "./dynamic";
import type { Catalog, Folded, InputKind } from "./kinds";
import { ENTRY, type GraphNode, type Subgraph } from "./model";

/** A widget of a node inside that a host's file names. */
export interface Proxy {
  /** The name under which the host keeps the value. */
  key: string;
  node: string;
  widget: string;
}

/** Widgets of nodes inside that a host's file names, whether or not a socket leads to them. */
export function proxies(host: GraphNode): Proxy[] {
  const properties = host.kept?.properties;
  const entries =
    properties && typeof properties === "object" && !Array.isArray(properties)
      ? properties.proxyWidgets
      : undefined;
  if (!Array.isArray(entries)) return [];
  return entries.flatMap((entry) => {
    if (!Array.isArray(entry) || entry.length < 2) return [];
    const [node, widget] = [String(entry[0]), String(entry[1])];
    return [{ key: node === "-1" ? widget : `${node}.${widget}`, node, widget }];
  });
}

/** The widget that an input of a subgraph stands for: the first inside that it enters. */
export function shown(
  subgraph: Subgraph,
  slot: number,
  catalog: Catalog,
): [GraphNode, string] | undefined {
  let first: [GraphNode, string] | undefined;
  for (const link of Object.values(subgraph.sheet.links)) {
    if (link.from !== ENTRY || link.slot !== slot) continue;
    const node = subgraph.sheet.nodes[link.to];
    if (!node || !isWidget(node, link.input, catalog)) continue;
    if (!first || (node.rank ?? 0) < (first[0].rank ?? 0)) first = [node, link.input];
  }
  return first;
}

function isWidget(node: GraphNode, input: string, catalog: Catalog): boolean {
  const kind = catalog.get(node.type);
  const inputs = kind ? inputsOf(kind, node.values, new Set([input])) : [];
  const declared = inputs.find(({ name }) => name === input);
  if (declared) return declared.widget !== undefined;
  return node.inputs?.some(({ name, widget }) => name === input && widget === true) ?? false;
}

/** What a host asks for, under the host's names: by its sockets, and without one. Until the host
 * sets a value, that of the node inside stands, and is the default. */
export function promoted(
  workflow: Folded,
  host: GraphNode,
  subgraph: Subgraph,
  catalog: Catalog,
): { sockets: Map<string, InputKind>; bare: InputKind[] } {
  // A subgraph that is inside of itself ends here.
  const { [subgraph.id]: _, ...subgraphs } = workflow.subgraphs;
  const sockets = new Map<string, InputKind>();
  for (const [slot, { name, label }] of subgraph.inputs.entries()) {
    const [node, input] = shown(subgraph, slot, catalog) ?? [];
    const kind = node && input !== undefined && widgetOf({ subgraphs }, node, input, catalog);
    if (kind) sockets.set(name, { ...kind, name, label });
  }
  const bare = proxies(host).flatMap(({ key, node, widget }) => {
    const inside = subgraph.sheet.nodes[node];
    const kind = inside && widgetOf({ subgraphs }, inside, widget, catalog);
    return kind ? [{ ...kind, name: key, label: widget }] : [];
  });
  return { sockets, bare };
}

/** An input of a node inside, as its host asks for it. */
function widgetOf(
  workflow: Folded,
  node: GraphNode,
  input: string,
  catalog: Catalog,
): InputKind | undefined {
  const found = fieldsOf(workflow, node, catalog).find(({ name }) => name === input);
  if (!found) return undefined;
  return {
    ...found,
    optional: true,
    default: node.values[input] ?? found.default,
    after: node.after[input] ?? found.after,
    // What a choice brings along stays inside.
    variants: undefined,
  };
}

/** The inputs of a node that have a widget: its own, or those that it shows as its own. */
export function fieldsOf(
  workflow: Folded,
  node: GraphNode,
  catalog: Catalog,
  linked?: ReadonlySet<string>,
): InputKind[] {
  const subgraph = workflow.subgraphs[node.type];
  if (subgraph) {
    const { sockets, bare } = promoted(workflow, node, subgraph, catalog);
    return [...sockets.values(), ...bare];
  }
  const kind = catalog.get(node.type);
  const inputs = kind ? inputsOf(kind, node.values, linked) : [];
  return inputs.filter(({ widget }) => widget && widget.kind !== "kept");
}
