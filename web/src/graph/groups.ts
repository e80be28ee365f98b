/** Old group nodes ("workflow>name") made into the subgraphs that took their place. */

import { z } from "zod";
import type { Catalog } from "./kinds";
import { ENTRY, EXIT, type Json } from "./model";
import { presentType } from "./old_files";
import { Unusable } from "./places";
import { places } from "./saved_values";
import { uuid } from "./uuid";

const PREFIX = /^workflow[>/]/;
const REMEDY = "Open and save it where it was made, with a subgraph in place of the group.";

const FileSocket = z.looseObject({
  name: z.string().catch(""),
  type: z.unknown().optional(),
  link: z.unknown().optional(),
});
/** What the person who made a group said of a socket: another name, or that it is not shown. */
const Said = z.looseObject({
  name: z.string().nullish().catch(null),
  visible: z.boolean().nullish().catch(null),
});
const Config = z.record(
  z.string(),
  z
    .looseObject({
      input: z.record(z.string(), Said.catch({})).optional().catch(undefined),
      output: z.record(z.string(), Said.catch({})).optional().catch(undefined),
    })
    .catch({}),
);
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
  config: Config.catch({}),
});
const FileSheet = z.looseObject({
  nodes: z.array(z.looseObject({ type: z.string() })),
  links: z.unknown().optional(),
});
const Document = z.looseObject({
  nodes: z.array(z.unknown()),
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

/** Groups inside of each other, at most. */
const DEEPEST = 20;

/** A file of the editor with each use of a group as a subgraph of its own; other files stay.
 *
 * Throws `Unusable` where a node and its group do not fit together. */
export function withoutGroups(document: unknown, catalog: Catalog): unknown {
  const read = Document.safeParse(document);
  if (!read.success) return document;
  const { groupNodes, ...extra } = read.data.extra;
  const made: unknown[] = [];
  const unfold = (sheet: unknown, depth: number): unknown => {
    const known = FileSheet.safeParse(sheet);
    if (!known.success) return sheet;
    const nodes = known.data.nodes.map((node) => {
      const name = node.type.replace(PREFIX, "");
      if (name === node.type || groupNodes[name] === undefined) return node;
      const told = `Node ${String(node.id)} (${node.type})`;
      if (depth > DEEPEST) throw new Unusable(`${told}: its group is inside of itself. ${REMEDY}`);
      const [host, group] = [Host.safeParse(node), Group.safeParse(groupNodes[name])];
      if (!host.success || !group.success) throw new Unusable(`${told} cannot be read. ${REMEDY}`);
      const id = uuid();
      const inner = inside(host.data, group.data, told, catalog, leavingOf(known.data, host.data));
      made.push({ id, name, ...(unfold(inner, depth + 1) as object) });
      return { ...host.data, type: id, widgets_values: [] };
    });
    return { ...known.data, nodes };
  };
  const root = unfold(read.data, 0) as object;
  const subgraphs = (read.data.definitions?.subgraphs ?? []).map((sheet) => unfold(sheet, 0));
  const definitions = { ...read.data.definitions, subgraphs: [...subgraphs, ...made] };
  return { ...root, extra, definitions };
}

/** The outputs of a node that links leave by. */
function leavingOf({ links }: z.infer<typeof FileSheet>, { id }: Host): Set<number> {
  const found = new Set<number>();
  for (const link of Array.isArray(links) ? (links as unknown[]) : []) {
    const [from, slot] = Array.isArray(link)
      ? [link[1], link[2]]
      : [(link as Partial<Wire> | null)?.origin_id, (link as Partial<Wire> | null)?.origin_slot];
    if (String(from) === String(id)) found.add(Number(slot));
  }
  return found;
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
function inside(
  host: Host,
  group: Group,
  told: string,
  catalog: Catalog,
  leaving: ReadonlySet<number>,
) {
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
  const all = [...nodes.values()];
  deal(host, all, group.config, told, catalog);
  const inputs = all.flatMap((node) =>
    node.inputs.flatMap((socket, slot) => {
      const { name, visible } = group.config[node.id]?.input?.[socket.name] ?? {};
      const free = visible !== false && !used.has(`${node.id} ${slot}`);
      return free ? [place(node, slot, socket, name)] : [];
    }),
  );
  const entering = matched(host.inputs ?? [], inputs);
  for (const [slot, socket] of (host.inputs ?? []).entries()) {
    const at = entering.get(slot);
    if (at) wire(ENTRY, slot, at.id, at.slot, socket.type);
    else if (socket.link !== null && socket.link !== undefined) {
      throw new Unusable(`${told}: no node inside has its input ${socket.name}. ${REMEDY}`);
    }
  }
  const outputs = all.flatMap((node) =>
    (node.outputs ?? []).flatMap((socket, slot) => {
      const { name, visible } = group.config[node.id]?.output?.[String(slot)] ?? {};
      const free = visible !== false && !left.has(`${node.id} ${slot}`);
      return free ? [place(node, slot, socket, name)] : [];
    }),
  );
  const shown = matched(host.outputs ?? [], outputs);
  for (const [slot, socket] of (host.outputs ?? []).entries()) {
    const at = shown.get(slot);
    if (at) wire(at.id, at.slot, EXIT, slot, socket.type);
    else if (leaving.has(slot)) {
      throw new Unusable(`${told}: no node inside has its output ${socket.name}. ${REMEDY}`);
    }
  }
  return { nodes: all, links, inputs: host.inputs ?? [], outputs: host.outputs ?? [] };
}

/** Gives the values of the host's widgets to the nodes inside, each as many as it shows. */
function deal(
  host: Host,
  nodes: readonly (Inner & { id: string })[],
  config: z.infer<typeof Config>,
  told: string,
  catalog: Catalog,
): void {
  const saved = host.widgets_values;
  if (!Array.isArray(saved) || saved.length === 0) return;
  const open: { own: unknown[]; at: number }[] = [];
  for (const node of nodes) {
    if (!Array.isArray(node.widgets_values)) continue;
    const own: Json[] = [...node.widgets_values];
    node.widgets_values = own;
    const kind = catalog.get(presentType(node.type, catalog));
    const names = kind ? places(own, kind) : [];
    for (const at of own.keys()) {
      const said = config[node.id]?.input?.[names[at]?.name ?? ""];
      if (said?.visible !== false) open.push({ own, at });
    }
  }
  if (open.length !== saved.length) {
    const problem = `its ${saved.length} widget values are not those of the nodes inside`;
    throw new Unusable(`${told}: ${problem}. ${REMEDY}`);
  }
  for (const [position, { own, at }] of open.entries()) own[at] = saved[position];
}

/** A socket inside that a host may show. */
interface Place {
  id: string;
  slot: number;
  names: Set<string>;
  type: string;
}

/** Of equal names all but the first are named with their node; a given name is the only one. A
 * reroute says the type of its values at its output alone. */
function place(
  { id, type, title, outputs }: Inner & { id: string },
  slot: number,
  socket: z.infer<typeof FileSocket>,
  given: string | null | undefined,
): Place {
  const { name } = socket;
  const names = new Set(given ? [given] : [name, `${type} ${name}`, `${title} ${name}`]);
  const own = typeOf(socket);
  const [first] = outputs ?? [];
  return { id, slot, names, type: own === "*" && first ? typeOf(first) : own };
}

const typeOf = ({ type }: z.infer<typeof FileSocket>): string =>
  typeof type === "string" ? type : type === undefined || type === null ? "*" : "COMBO";

/** The place inside that each socket of a host shows; each is taken once.
 *
 * By its name, else by the last word of that. Sockets that no name tells, those of reroutes for one,
 * are told by their order, if there are as many of the type on both sides. */
function matched(
  sockets: readonly z.infer<typeof FileSocket>[],
  places: readonly Place[],
): Map<number, Place> {
  const found = new Map<number, Place>();
  let free = [...places];
  const take = (number: number, fit: (place: Place) => boolean): void => {
    const taken = found.has(number) ? undefined : free.find(fit);
    if (!taken) return;
    found.set(number, taken);
    free = free.filter((place) => place !== taken);
  };
  for (const [number, { name }] of sockets.entries()) take(number, ({ names }) => names.has(name));
  for (const [number, { name }] of sockets.entries()) {
    take(number, ({ names }) => names.has(name.slice(name.lastIndexOf(" ") + 1)));
  }
  const left = [...sockets.entries()].filter(([number]) => !found.has(number));
  const there = free.map(({ type }) => type);
  const count = (types: readonly string[], type: string): number =>
    types.filter((one) => one === type).length;
  const wanted = left.map(([, socket]) => typeOf(socket));
  for (const [number, socket] of left) {
    const type = typeOf(socket);
    if (count(wanted, type) === count(there, type)) take(number, (one) => one.type === type);
  }
  return found;
}
