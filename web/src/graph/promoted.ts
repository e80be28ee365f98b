/** Widgets of nodes inside of a subgraph, which a host (the node that it stands as elsewhere) shows
 * as its own. */

import { inputsOf } from "./dynamic";
import type { Catalog, Folded, InputKind } from "./kinds";
import { ENTRY, type GraphNode, linkInto, type Subgraph, type Way } from "./model";

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

/** The input of a subgraph that enters a widget inside; undefined: none does. */
const entering = ({ sheet, inputs }: Subgraph, { node, widget }: Proxy): string | undefined => {
  const link = linkInto(sheet, node, widget);
  return link?.from === ENTRY ? inputs[link.slot]?.name : undefined;
};

/** The names of a host's widgets, in the order in which files have their values. What a file names
 * and a socket shows too is one widget, and goes by the socket's name. */
export function hostNames(
  workflow: Folded,
  host: GraphNode,
  subgraph: Subgraph,
  catalog: Catalog,
): string[] {
  const sockets = new Map<string, string>();
  for (const [slot, { name }] of subgraph.inputs.entries()) {
    const [node, widget] = shown(workflow, subgraph, slot, catalog) ?? [];
    if (node) sockets.set(`${node.id}.${widget}`, name);
  }
  const named = proxies(host);
  if (named.length === 0) return [...sockets.values()];
  return named.map(({ key }) => sockets.get(key) ?? key);
}

/** The widget that an input of a subgraph stands for: the first inside that it enters. */
export function shown(
  workflow: Folded,
  subgraph: Subgraph,
  slot: number,
  catalog: Catalog,
): [GraphNode, string] | undefined {
  // A subgraph that is inside of itself ends here.
  const { [subgraph.id]: _, ...subgraphs } = workflow.subgraphs;
  let first: [GraphNode, string] | undefined;
  for (const link of Object.values(subgraph.sheet.links)) {
    if (link.from !== ENTRY || link.slot !== slot) continue;
    const node = subgraph.sheet.nodes[link.to];
    if (!node || !isWidget({ subgraphs }, node, link.input, catalog)) continue;
    if (!first || (node.rank ?? 0) < (first[0].rank ?? 0)) first = [node, link.input];
  }
  return first;
}

function isWidget(workflow: Folded, node: GraphNode, input: string, catalog: Catalog): boolean {
  const inner = workflow.subgraphs[node.type];
  const slot = inner?.inputs.findIndex(({ name }) => name === input) ?? -1;
  if (inner && slot >= 0) return shown(workflow, inner, slot, catalog) !== undefined;
  const kind = catalog.get(node.type);
  const inputs = kind ? inputsOf(kind, node.values, new Set([input])) : [];
  const declared = inputs.find(({ name }) => name === input);
  if (declared) return declared.widget !== undefined;
  return node.inputs?.some(({ name, widget }) => name === input && widget === true) ?? false;
}

/** What a host asks for, under the host's names: by its sockets, and without one. Until the host
 * sets a value, that of the node inside stands, and is the default. No widget is asked for twice:
 * one that a socket enters is that socket's, also where the file names it besides. */
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
    const [node, input = ""] = shown(workflow, subgraph, slot, catalog) ?? [];
    const kind = node && widgetOf({ subgraphs }, node, input, catalog);
    if (!kind) continue;
    const otherwise = host.values[`${node.id}.${input}`] ?? kind.default;
    sockets.set(name, { ...kind, name, label, default: otherwise });
  }
  const named = new Map(proxies(host).map((proxy) => [proxy.key, proxy]));
  const bare = [...named.values()].flatMap((proxy) => {
    const inside = subgraph.sheet.nodes[proxy.node];
    if (!inside || entering(subgraph, proxy) !== undefined) return [];
    const kind = widgetOf({ subgraphs }, inside, proxy.widget, catalog);
    return kind ? [{ ...kind, name: proxy.key, label: proxy.widget }] : [];
  });
  return { sockets, bare };
}

/** A widget, on the sheet that it stands on. */
export interface Leaf {
  node: GraphNode;
  input: string;
  /** The way there from where it is shown: each host that is entered, and the sheet inside. */
  path: Way;
}

/** The widget inside that a host's widget stands for in the end; any other node's own. */
export function leafOf(
  workflow: Folded,
  node: GraphNode,
  input: string,
  catalog: Catalog,
  path: Way = [],
): Leaf {
  const subgraph = workflow.subgraphs[node.type];
  if (!subgraph || path.some(({ sheet }) => sheet === subgraph.id)) return { node, input, path };
  const slot = subgraph.inputs.findIndex(({ name }) => name === input);
  const proxy = proxies(node).find(({ key }) => key === input);
  const inside = proxy && subgraph.sheet.nodes[proxy.node];
  const [next, widget] = shown(workflow, subgraph, slot, catalog) ?? [inside, proxy?.widget];
  if (!next || widget === undefined) return { node, input, path };
  const step = { host: node.id, sheet: subgraph.id };
  return leafOf(workflow, next, widget, catalog, [...path, step]);
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
