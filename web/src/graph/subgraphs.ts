/** Nodes folded into a subgraph, and unfolded again. */

import { addNode, connect, newNode } from "./edits";
import { unused } from "./ends";
import type { Catalog } from "./kinds";
import {
  EMPTY_SHEET,
  ENTRY,
  EXIT,
  freshId,
  type GraphNode,
  type Link,
  linkedInputs,
  onSheet,
  ordered,
  type Sheet,
  type Socket,
  sheetOf,
  type Workflow,
} from "./model";
import { proxies } from "./promoted";
import { outputType, socketsOf } from "./sockets";
import { uuid } from "./uuid";

/** The workflow with some nodes of a sheet folded into one; what links went in or out of them go
 * through its sockets. */
export function fold(
  workflow: Workflow,
  sheetKey: string,
  ids: ReadonlySet<string>,
  catalog: Catalog,
  name: string,
): { workflow: Workflow; host: string } {
  const sheet = sheetOf(workflow, sheetKey);
  const chosen = ordered(sheet).filter((node) => ids.has(node.id));
  const id = uuid();
  const host = freshId(sheet.nodes, workflow.lastNode);
  const inner: Sheet = {
    ...EMPTY_SHEET,
    nodes: Object.fromEntries(chosen.map((node) => [node.id, node])),
    links: {},
  };
  const ends = new Ends(workflow, sheet, catalog);
  const outer: Omit<Link, "id">[] = [];
  const within: Omit<Link, "id">[] = [];
  for (const link of Object.values(sheet.links)) {
    const [from, to] = [ids.has(link.from), ids.has(link.to)];
    if (from && to) within.push(link);
    else if (to) {
      const { name: input, slot, isNew } = ends.entry(link);
      within.push({ ...link, from: ENTRY, slot });
      if (isNew) outer.push({ ...link, to: host, input });
    } else if (from) {
      const { slot, isNew } = ends.exit(link);
      if (isNew) within.push({ ...link, to: EXIT, input: String(slot) });
      outer.push({ ...link, from: host, slot });
    } else outer.push(link);
  }
  const links = (all: Omit<Link, "id">[]): Record<string, Link> =>
    Object.fromEntries(
      all.map((link, position) => [`${position + 1}`, { ...link, id: `${position + 1}` }]),
    );
  const { inputs, outputs } = ends;
  const subgraph = { id, name, sheet: { ...inner, links: links(within) }, inputs, outputs };
  const left = Object.fromEntries(Object.entries(sheet.nodes).filter(([key]) => !ids.has(key)));
  const folded = onSheet(
    { ...workflow, subgraphs: { ...workflow.subgraphs, [id]: subgraph } },
    sheetKey,
    () =>
      addNode(
        { ...sheet, nodes: left, links: links(outer) },
        newNode(host, id, middle(chosen), catalog),
      ),
  );
  return { workflow: folded, host };
}

function middle(nodes: readonly GraphNode[]): { x: number; y: number } {
  const mean = (values: number[]): number =>
    Math.round(values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length) / 10) *
    10;
  return { x: mean(nodes.map(({ x }) => x)), y: mean(nodes.map(({ y }) => y)) };
}

/** The sockets of a subgraph in the making: one for each source outside, and inside. */
class Ends {
  readonly inputs: Socket[] = [];
  readonly outputs: Socket[] = [];
  private readonly entries = new Map<string, number>();
  private readonly exits = new Map<string, number>();

  constructor(
    private readonly workflow: Workflow,
    private readonly sheet: Sheet,
    private readonly catalog: Catalog,
  ) {}

  entry(link: Link): { name: string; slot: number; isNew: boolean } {
    const key = `${link.from} ${link.slot}`;
    const known = this.entries.get(key);
    if (known !== undefined) {
      return { name: this.inputs[known]?.name ?? "", slot: known, isNew: false };
    }
    const slot = this.inputs.length;
    this.entries.set(key, slot);
    const name = unused(link.input || link.type.toLowerCase(), this.inputs);
    this.inputs.push({ name, type: this.typeInto(link) });
    return { name, slot, isNew: true };
  }

  exit(link: Link): { slot: number; isNew: boolean } {
    const key = `${link.from} ${link.slot}`;
    const known = this.exits.get(key);
    if (known !== undefined) return { slot: known, isNew: false };
    const slot = this.outputs.length;
    this.exits.set(key, slot);
    const { workflow, sheet, catalog } = this;
    const node = sheet.nodes[link.from];
    const output = node && socketsOf(workflow, node, catalog).outputs[link.slot];
    const type = outputType(workflow, sheet, catalog, link.from, link.slot);
    this.outputs.push({ name: unused(output?.name || type, this.outputs), type });
    return { slot, isNew: true };
  }

  private typeInto(link: Link): string {
    const { workflow, sheet, catalog } = this;
    const node = sheet.nodes[link.to];
    const sockets = node
      ? socketsOf(workflow, node, catalog, linkedInputs(sheet, node.id)).inputs
      : [];
    const type = sockets.find(({ name }) => name === link.input)?.type ?? "*";
    return type === "*" ? link.type : type;
  }
}

/** The workflow with a subgraph's node replaced by what is inside, and the ids it got. Nodes keep
 * the ids they have inside where these are free, so that folded and unfolded again nothing has
 * changed; the subgraph goes with the last node that stands for it. */
export function unfoldNode(
  workflow: Workflow,
  sheetKey: string,
  hostId: string,
): { workflow: Workflow; ids: string[] } {
  const sheet = sheetOf(workflow, sheetKey);
  const host = sheet.nodes[hostId];
  const subgraph = host && workflow.subgraphs[host.type];
  if (!host || !subgraph) return { workflow, ids: [] };
  const { [hostId]: _, ...others } = sheet.nodes;
  const nodes: Record<string, GraphNode> = { ...others };
  const renamed = new Map<string, string>();
  const inside = ordered(subgraph.sheet);
  const center = middle(inside);
  for (const node of inside) {
    const free = others[node.id] === undefined;
    const taken = { ...subgraph.sheet.nodes, ...nodes, [hostId]: true };
    const id = free ? node.id : freshId(taken, workflow.lastNode);
    renamed.set(node.id, id);
    const [x, y] = [node.x - center.x + host.x, node.y - center.y + host.y];
    const rank = free ? node.rank : undefined;
    nodes[id] = { ...node, id, rank, x, y, values: imposed(host, node) };
  }
  const links = Object.values(sheet.links);
  let next: Sheet = {
    ...sheet,
    nodes,
    links: Object.fromEntries(
      links
        .filter((link) => link.from !== hostId && link.to !== hostId)
        .map((link) => [link.id, link]),
    ),
  };
  const sources = new Map<number, Pick<Link, "from" | "slot">>();
  for (const link of Object.values(subgraph.sheet.links)) {
    const from = renamed.get(link.from);
    if (link.to === EXIT && from !== undefined) {
      sources.set(Number(link.input), { from, slot: link.slot });
      continue;
    }
    const to = renamed.get(link.to);
    if (to === undefined) continue;
    if (from !== undefined) next = connect(next, { ...link, from, to });
    else next = enter(next, host, subgraph.inputs[link.slot]?.name ?? "", { ...link, to }, links);
  }
  for (const link of links.filter(({ from }) => from === hostId)) {
    const source = sources.get(link.slot);
    if (source) next = connect(next, { ...link, ...source });
  }
  const unfolded = onSheet(workflow, sheetKey, () => next);
  return { workflow: withoutUnused(unfolded, subgraph.id), ids: [...renamed.values()] };
}

/** The workflow without a subgraph that no node stands for. */
function withoutUnused(workflow: Workflow, id: string): Workflow {
  const sheets = [workflow.root, ...Object.values(workflow.subgraphs).map(({ sheet }) => sheet)];
  const used = sheets.some(({ nodes }) => Object.values(nodes).some(({ type }) => type === id));
  if (used) return workflow;
  const { [id]: _, ...subgraphs } = workflow.subgraphs;
  return { ...workflow, subgraphs };
}

/** The values of a node inside, with those that its host sets. */
function imposed(host: GraphNode, node: GraphNode): GraphNode["values"] {
  const values = { ...node.values };
  for (const proxy of proxies(host)) {
    const value = host.values[proxy.key];
    if (proxy.node === node.id && value !== undefined && value !== null)
      values[proxy.widget] = value;
  }
  return values;
}

/** What came into an input of the host goes where that input led: its link, or its value. */
function enter(
  sheet: Sheet,
  host: GraphNode,
  input: string,
  inner: Link,
  links: readonly Link[],
): Sheet {
  const given = links.find((link) => link.to === host.id && link.input === input);
  if (given) return connect(sheet, { ...inner, from: given.from, slot: given.slot });
  const value = host.values[input];
  const node = sheet.nodes[inner.to];
  if (!node || value === undefined || value === null) return sheet;
  const values = { ...node.values, [inner.input]: value };
  return { ...sheet, nodes: { ...sheet.nodes, [node.id]: { ...node, values } } };
}
