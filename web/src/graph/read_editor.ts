/** The editor's files, ours and ComfyUI's, read into a workflow. */

import { z } from "zod";
import { inputsOf } from "./dynamic";
import { withoutGroups } from "./groups";
import { AnyJson } from "./json";
import { type Catalog, isReroute, type NodeKind, PRIMITIVE } from "./kinds";
import {
  EMPTY_SHEET,
  ENTRY,
  EXIT,
  type GraphNode,
  type Group,
  type Json,
  type JsonObject,
  type Link,
  type Mode,
  type Sheet,
  type Socket,
  type Subgraph,
  type Workflow,
} from "./model";
import { presentNames, presentType, presentValue } from "./old_files";
import { Unusable } from "./places";
import { hostNames } from "./promoted";
import { mended } from "./repair";
import { readList } from "./saved_values";
import { uuid } from "./uuid";

const Id = z.union([z.string(), z.number()]).transform(String);
const Pair = z
  .union([
    z.tuple([z.number(), z.number()], z.unknown()),
    z.looseObject({ 0: z.number(), 1: z.number() }),
  ])
  .transform((pair): [number, number] => [pair[0], pair[1]]);
const Word = z.string().nullish();

const FileSocket = z.looseObject({
  name: Word,
  label: Word,
  type: z.unknown().optional(),
  link: Id.nullish(),
  links: z.unknown().optional(),
  widget: z.unknown().optional(),
});
const FileNode = z.looseObject({
  id: Id,
  type: z.string(),
  pos: Pair.nullish().catch(null),
  size: Pair.nullish().catch(null),
  mode: z.number().nullish(),
  title: Word,
  color: Word,
  flags: z
    .looseObject({ collapsed: z.boolean().nullish().catch(null) })
    .nullish()
    .catch(null),
  inputs: z.array(FileSocket).nullish(),
  outputs: z.array(FileSocket).nullish(),
  widgets_values: z.union([z.array(AnyJson), z.record(z.string(), AnyJson)]).nullish(),
  widgets_values_named: z.record(z.string(), AnyJson).nullish(),
});
const FileLink = z.union([
  z
    .tuple([Id, Id, z.int(), Id, z.int()], z.unknown())
    .transform(([id, from, slot, to, target, ...rest]) => ({
      id,
      from,
      slot,
      to,
      target,
      type: rest[0],
    })),
  z
    .looseObject({
      id: Id,
      origin_id: Id,
      origin_slot: z.int(),
      target_id: Id,
      target_slot: z.int(),
      type: z.unknown().optional(),
    })
    .transform((link) => ({
      id: link.id,
      from: link.origin_id,
      slot: link.origin_slot,
      to: link.target_id,
      target: link.target_slot,
      type: link.type,
    })),
]);
const FileGroup = z.looseObject({
  title: Word,
  bounding: z.tuple([z.number(), z.number(), z.number(), z.number()]),
  color: Word,
});
const FileSheet = z.looseObject({
  nodes: z.array(FileNode),
  links: z.array(FileLink.nullable()).nullish(),
  groups: z.array(FileGroup).nullish().catch(null),
  last_node_id: z.int().optional().catch(undefined),
  state: z.looseObject({ lastNodeId: z.int() }).optional().catch(undefined),
});
const FileSubgraph = FileSheet.extend({
  id: Id,
  name: Word,
  inputs: z.array(FileSocket).nullish(),
  outputs: z.array(FileSocket).nullish(),
  inputNode: z.looseObject({ id: Id }).nullish(),
  outputNode: z.looseObject({ id: Id }).nullish(),
});
const FileWorkflow = FileSheet.extend({
  id: z.uuid().optional().catch(undefined),
  definitions: z.looseObject({ subgraphs: z.array(FileSubgraph).nullish() }).nullish(),
});

const WidgetName = z.looseObject({ name: z.string() });

type FileNode = z.infer<typeof FileNode>;
type FileSheet = z.infer<typeof FileSheet>;
type FileSocket = z.infer<typeof FileSocket>;

/** Whether a document is in the editor's format; a prompt in API format is not. */
export function isEditorFile(document: unknown): boolean {
  return (
    typeof document === "object" &&
    document !== null &&
    "nodes" in document &&
    Array.isArray(document.nodes)
  );
}

/** A file of the editor as a workflow; throws `Unusable` naming the place that is wrong. */
export function fromEditor(document: unknown, catalog: Catalog): Workflow {
  const read = FileWorkflow.safeParse(withoutGroups(document, catalog));
  if (!read.success) {
    const [issue] = read.error.issues;
    const where = issue?.path.join(".") || "the file";
    throw new Unusable(`This is no workflow that can be read: ${where}: ${issue?.message}`);
  }
  const file = read.data;
  const subgraphs: Record<string, Subgraph> = {};
  for (const part of file.definitions?.subgraphs ?? []) {
    const ends = { entry: part.inputNode?.id ?? ENTRY, exit: part.outputNode?.id ?? EXIT };
    const { nodes: _n, links: _l, groups: _g, inputs, outputs, ...kept } = part;
    subgraphs[part.id] = {
      id: part.id,
      name: part.name || part.id,
      sheet: readSheet(part, catalog, ends),
      inputs: (inputs ?? []).map(socket),
      outputs: (outputs ?? []).map(socket),
      kept: asObject(kept),
    };
  }
  const { nodes: _n, links: _l, groups: _g, definitions: _d, id, ...kept } = file;
  const root = readSheet(file, catalog, { entry: ENTRY, exit: EXIT });
  const workflow = { id: id ?? uuid(), root, subgraphs, kept: asObject(kept) };
  readHosts(workflow, catalog);
  return workflow;
}

const asObject = (value: object): JsonObject => value as JsonObject;

function readSheet(
  file: FileSheet,
  catalog: Catalog,
  ends: { entry: string; exit: string },
): Sheet {
  const last = Math.max(file.last_node_id ?? 0, file.state?.lastNodeId ?? 0);
  const wires = mended(file.nodes, file.links ?? [], last);
  const nodes: Record<string, GraphNode> = {};
  const entering = new Map<string, { node: string; input: string }[]>();
  for (const [rank, saved] of file.nodes.entries()) {
    const type = presentType(saved.type, catalog);
    nameSockets(saved, catalog.get(type));
    nodes[saved.id] = { ...readNode({ ...saved, type }, catalog, saved.type), rank };
    for (const input of saved.inputs ?? []) {
      if (input.link === null || input.link === undefined) continue;
      const name = isReroute(saved.type) ? "" : (input.name ?? "");
      const places = entering.get(input.link) ?? [];
      entering.set(input.link, [...places, { node: saved.id, input: name }]);
    }
  }
  const links: Record<string, Link> = {};
  const add = (link: Link): void => {
    const id = links[link.id] ? `${link.id}.${Object.keys(links).length}` : link.id;
    links[id] = { ...link, id };
  };
  for (const wire of wires) {
    const from = wire.from === ends.entry ? ENTRY : wire.from;
    if (from !== ENTRY && !nodes[from]) continue;
    const type = typeof wire.type === "string" ? wire.type : "*";
    const link = { id: wire.id, from, slot: wire.slot, type };
    if (wire.to === ends.exit) add({ ...link, to: EXIT, input: String(wire.target) });
    for (const { node, input } of entering.get(wire.id) ?? []) add({ ...link, to: node, input });
  }
  return { ...EMPTY_SHEET, nodes, links, groups: readGroups(file) };
}

/** Gives the inputs of a saved node the names that they have today. One that the node does not know
 * stands for the one input that nothing else is linked to and that must be, if there is just one of
 * the type. */
function nameSockets(saved: FileNode, kind: NodeKind | undefined): void {
  if (!kind || isReroute(saved.type)) return;
  const renamed = presentNames(kind.id, saved.type);
  const known = new Map(kind.inputs.map((input) => [input.name, input]));
  const has = (name: string): boolean => known.has(name.split(".")[0] ?? "");
  const sockets = saved.inputs ?? [];
  for (const input of sockets) {
    const name = input.name ?? "";
    const own = renamed[name] ?? name;
    const { data: widget } = WidgetName.safeParse(input.widget);
    input.name = has(own) || !widget ? own : (renamed[widget.name] ?? widget.name);
  }
  const linked = sockets.filter(({ link }) => link !== null && link !== undefined);
  const taken = new Set(linked.map(({ name }) => name));
  const free = kind.inputs.filter(({ name, widget, optional }) => {
    return !widget && !optional && !taken.has(name);
  });
  for (const input of linked) {
    if (has(input.name ?? "")) continue;
    const fitting = free.filter(({ type }) => type === socket(input).type);
    const [only] = fitting;
    if (!only || fitting.length > 1) continue;
    input.name = only.name;
    free.splice(free.indexOf(only), 1);
  }
}

function readGroups(file: FileSheet): Record<string, Group> {
  const groups: Record<string, Group> = {};
  for (const [position, { title, bounding, color, ...kept }] of (file.groups ?? []).entries()) {
    const [x, y, width, height] = bounding;
    const id = String(position + 1);
    const colour = color ?? undefined;
    groups[id] = { id, title: title ?? "", x, y, width, height, colour, kept: asObject(kept) };
  }
  return groups;
}

const MODES: Record<number, Mode> = { 2: "muted", 4: "bypassed" };

function readNode(saved: FileNode, catalog: Catalog, oldType: string): GraphNode {
  const { pos, size, title, color, inputs, outputs, ...kept } = saved;
  const kind = catalog.get(saved.type);
  const node: GraphNode = {
    id: saved.id,
    type: saved.type,
    x: pos?.[0] ?? 0,
    y: pos?.[1] ?? 0,
    width: size?.[0],
    height: size?.[1],
    mode: MODES[saved.mode ?? 0] ?? "run",
    collapsed: saved.flags?.collapsed ?? false,
    ...presentValues(readValues(saved, catalog), kind, oldType),
    kept: asObject(kept),
  };
  if (title && title !== kind?.title) node.title = title;
  if (color) node.colour = color;
  if (isReroute(saved.type)) return node;
  const sockets = (inputs ?? []).map(socket);
  const names = new Set(sockets.map(({ name }) => name));
  const declared = new Set(kind && inputsOf(kind, node.values, names).map(({ name }) => name));
  const extra = sockets.filter(({ name }) => !declared.has(name));
  if (!kind || extra.length > 0) node.inputs = extra;
  if (!kind) node.outputs = (outputs ?? []).map(socket);
  return node;
}

function socket(saved: FileSocket): Socket {
  const found: Socket = {
    name: saved.name ?? "",
    // Old files write the options of a choice in the place of its type.
    type: typeof saved.type === "string" ? saved.type : saved.type === undefined ? "*" : "COMBO",
  };
  if (saved.label) found.label = saved.label;
  if (saved.widget !== undefined && saved.widget !== null) found.widget = true;
  return found;
}

function readValues(saved: FileNode, catalog: Catalog): Pick<GraphNode, "values" | "after"> {
  const kind = catalog.get(saved.type);
  const list = saved.widgets_values;
  const named = saved.widgets_values_named ?? {};
  if (saved.type === PRIMITIVE) {
    const first = Array.isArray(list) ? list[0] : list?.value;
    return { values: { value: first ?? named.value ?? null }, after: {} };
  }
  if (!Array.isArray(list)) return { values: { ...named, ...list }, after: {} };
  const read = kind ? readList(list, kind) : { values: {}, after: {} };
  return { values: { ...named, ...told(read.values) }, after: read.after };
}

/** Values under the names that they have today, and as they are called today. */
function presentValues(
  read: Pick<GraphNode, "values" | "after">,
  kind: NodeKind | undefined,
  oldType: string,
): Pick<GraphNode, "values" | "after"> {
  if (!kind) return read;
  const renamed = presentNames(kind.id, oldType);
  const named = Object.entries(read.values).map(([name, value]) => [renamed[name] ?? name, value]);
  const values: Record<string, Json> = Object.fromEntries(named);
  for (const input of kind.inputs) {
    const value = values[input.name];
    if (value !== undefined) values[input.name] = presentValue(input, value);
  }
  return { ...read, values };
}

/** Where a file has values in order and by name, the order counts; an empty place says nothing. */
function told(values: Record<string, Json>): Record<string, Json> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}

/** The property of a host that says what happens to its numbers after a run. */
export const HOST_AFTER = "soundstage.after";
const HostAfter = z.looseObject({
  [HOST_AFTER]: z.record(z.string(), z.enum(["fixed", "increment", "decrement", "randomize"])),
});

/** Hosts of subgraphs save the values of the widgets that they show in order; here they get
 * names. */
function readHosts(workflow: Workflow, catalog: Catalog): void {
  const sheets = [workflow.root, ...Object.values(workflow.subgraphs).map(({ sheet }) => sheet)];
  for (const node of sheets.flatMap((sheet) => Object.values(sheet.nodes))) {
    const subgraph = workflow.subgraphs[node.type];
    if (!subgraph) continue;
    const said = HostAfter.safeParse(node.kept?.properties);
    if (said.success) node.after = said.data[HOST_AFTER] ?? {};
    const list = node.kept?.widgets_values;
    if (!Array.isArray(list)) continue;
    const names = hostNames(workflow, node, subgraph, catalog);
    if (names.length !== list.length) continue;
    const values: Record<string, Json> = {};
    for (const [position, name] of names.entries()) values[name] = list[position] ?? null;
    node.values = { ...node.values, ...told(values) };
  }
}
