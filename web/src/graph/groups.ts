/** Old group nodes ("workflow>name") made into the subgraphs that took their place. */

import { z } from "zod";
import { ENTRY, EXIT } from "./model";
import { Unusable } from "./places";
import { uuid } from "./uuid";

const PREFIX = /^workflow[>/]/;
const REMEDY = "Open and save it where it was made, with a subgraph in place of the group.";

const FileSocket = z.looseObject({ name: z.string().catch(""), link: z.unknown().optional() });
const Inner = z.looseObject({
  index: z.int().nullish(),
  type: z.string(),
  title: z.string().nullish(),
  inputs: z.array(FileSocket).nullish(),
  outputs: z.array(FileSocket).nullish(),
  widgets_values: z.unknown().optional(),
});
const Host = Inner.extend({ id: z.union([z.string(), z.number()]) });
const Group = z.looseObject({
  nodes: z.array(Inner),
  links: z.array(z.array(z.unknown())).catch([]),
  external: z.array(z.array(z.unknown())).catch([]),
});
const Document = z.looseObject({
  nodes: z.array(z.looseObject({ type: z.string() })),
  extra: z.looseObject({ groupNodes: z.record(z.string(), z.unknown()) }),
  definitions: z
    .looseObject({ subgraphs: z.array(z.unknown()).catch([]) })
    .nullish()
    .catch(null),
});
const Wired = z.tuple([z.int(), z.int(), z.int(), z.int()], z.unknown());

type Group = z.infer<typeof Group>;
type Host = z.infer<typeof Host>;
type Inner = z.infer<typeof Inner>;

/** A file of the editor with each use of a group as a subgraph of its own; other files stay.
 *
 * Throws `Unusable` where a node and its group do not fit together. */
export function withoutGroups(document: unknown): unknown {
  const read = Document.safeParse(document);
  if (!read.success) return document;
  const { groupNodes, ...extra } = read.data.extra;
  const subgraphs: unknown[] = [...(read.data.definitions?.subgraphs ?? [])];
  const nodes = read.data.nodes.map((node) => {
    const name = node.type.replace(PREFIX, "");
    if (name === node.type || groupNodes[name] === undefined) return node;
    const told = `Node ${String(node.id)} (${node.type})`;
    const [host, group] = [Host.safeParse(node), Group.safeParse(groupNodes[name])];
    if (!host.success || !group.success) throw new Unusable(`${told} cannot be read. ${REMEDY}`);
    const id = uuid();
    subgraphs.push({ id, name, ...inside(host.data, group.data, told) });
    return { ...host.data, type: id, widgets_values: [] };
  });
  const definitions = { ...read.data.definitions, subgraphs };
  return { ...read.data, nodes, extra, definitions };
}

interface Wire {
  id: number;
  origin_id: string;
  origin_slot: number;
  target_id: string;
  target_slot: number;
  type: unknown;
}

/** What a group is to one use of it. Its ids are its nodes' places; its links are `[from, slot, to,
 * slot, ..., type]`, with null for what comes from outside. */
function inside(host: Host, group: Group, told: string) {
  const nodes = new Map(
    group.nodes.map((node, position) => {
      const id = String(node.index ?? position);
      const inputs = (node.inputs ?? []).map((socket) => ({ ...socket, link: null as unknown }));
      return [id, { pos: [position * 300, 0], ...node, id, inputs }];
    }),
  );
  const links: Wire[] = [];
  const wire = (from: string, slot: number, to: string, at: number, type: unknown = "*"): void => {
    const id = links.length + 1;
    links.push({ id, origin_id: from, origin_slot: slot, target_id: to, target_slot: at, type });
    const socket = nodes.get(to)?.inputs[at];
    if (socket) socket.link = id;
  };
  for (const entry of group.links) {
    const read = Wired.safeParse(entry);
    if (!read.success) continue;
    const [from, slot, to, at, ...rest] = read.data;
    wire(String(from), slot, String(to), at, rest.at(-1));
  }
  const used = new Set(links.map((link) => `${link.target_id} ${link.target_slot}`));
  const left = new Set(links.map((link) => `${link.origin_id} ${link.origin_slot}`));
  for (const [id, slot] of group.external) left.delete(`${id} ${slot}`);
  deal(host, [...nodes.values()], told);
  const all = [...nodes.values()];
  const inputs = new Free(all, "inputs", (id, slot) => !used.has(`${id} ${slot}`));
  for (const [slot, socket] of (host.inputs ?? []).entries()) {
    const place = inputs.take(socket.name);
    if (place) wire(ENTRY, slot, place.id, place.slot, socket.type);
    else if (socket.link !== null && socket.link !== undefined) {
      throw new Unusable(`${told}: no node inside has its input ${socket.name}. ${REMEDY}`);
    }
  }
  const outputs = new Free(all, "outputs", (id, slot) => !left.has(`${id} ${slot}`));
  for (const [slot, socket] of (host.outputs ?? []).entries()) {
    const place = outputs.take(socket.name);
    if (place) wire(place.id, place.slot, EXIT, slot, socket.type);
  }
  return { nodes: all, links, inputs: host.inputs ?? [], outputs: host.outputs ?? [] };
}

/** Gives the values of the host's widgets to the nodes inside, each as many as it saved. */
function deal(host: Host, nodes: Inner[], told: string): void {
  const saved = host.widgets_values;
  if (!Array.isArray(saved) || saved.length === 0) return;
  const counts = nodes.map(({ widgets_values: own }) => (Array.isArray(own) ? own.length : 0));
  if (counts.reduce((sum, count) => sum + count, 0) !== saved.length) {
    const problem = `its ${saved.length} widget values are not those of the nodes inside`;
    throw new Unusable(`${told}: ${problem}. ${REMEDY}`);
  }
  let position = 0;
  for (const [at, node] of nodes.entries()) {
    const count = counts[at] ?? 0;
    if (count > 0) node.widgets_values = saved.slice(position, position + count);
    position += count;
  }
}

interface Place {
  id: string;
  slot: number;
}

/** Sockets inside that a host may show, in order; each is taken once. Of equal names all but the
 * first are named with their node. */
class Free {
  private readonly places: { names: Set<string>; place: Place }[] = [];

  constructor(
    nodes: readonly (Inner & { id: string })[],
    side: "inputs" | "outputs",
    isFree: (id: string, slot: number) => boolean,
  ) {
    for (const { id, type, title, [side]: sockets } of nodes) {
      for (const [slot, { name }] of (sockets ?? []).entries()) {
        const names = new Set([name, `${type} ${name}`, `${title} ${name}`]);
        if (isFree(id, slot)) this.places.push({ names, place: { id, slot } });
      }
    }
  }

  /** The first one shown by this name, or by its last word. */
  take(name: string): Place | undefined {
    for (const shown of [name, name.slice(name.lastIndexOf(" ") + 1)]) {
      const at = this.places.findIndex(({ names }) => names.has(shown));
      if (at >= 0) return this.places.splice(at, 1)[0]?.place;
    }
    return undefined;
  }
}
