/** A workflow as a file of the editor, as ComfyUI reads it too. */

import { type Catalog, isReroute, PRIMITIVE } from "./kinds";
import { estimated } from "./layout";
import {
  ENTRY,
  EXIT,
  type GraphNode,
  type Group,
  type Json,
  type JsonObject,
  type Link,
  type Mode,
  ordered,
  type Sheet,
  type Socket,
  type Workflow,
} from "./model";
import { hostNames } from "./promoted";
import { HOST_AFTER } from "./read_editor";
import { writeList } from "./saved_values";
import { socketsOf } from "./sockets";

const MODES: Record<Mode, number> = { run: 0, muted: 2, bypassed: 4 };

/** A workflow as a file of the editor. */
export function toEditor(workflow: Workflow, catalog: Catalog): JsonObject {
  const root = workflow.root;
  const subgraphs = Object.values(workflow.subgraphs).map((subgraph): JsonObject => {
    const sheet = subgraph.sheet;
    const write = (sockets: Socket[], saved: Json | undefined): Json[] =>
      sockets.map((socket, slot) => ({
        ...(Array.isArray(saved) && isObject(saved[slot]) ? saved[slot] : {}),
        ...written(socket),
      }));
    return {
      ...subgraph.kept,
      id: subgraph.id,
      name: subgraph.name,
      inputNode: { ...end(subgraph.kept?.inputNode), id: Number(ENTRY) },
      outputNode: { ...end(subgraph.kept?.outputNode), id: Number(EXIT) },
      inputs: write(subgraph.inputs, subgraph.kept?.inputs),
      outputs: write(subgraph.outputs, subgraph.kept?.outputs),
      ...writeSheet(workflow, sheet, catalog, true),
    };
  });
  return {
    version: 0.4,
    ...workflow.kept,
    id: workflow.id,
    last_node_id: Math.max(largest(root.nodes), workflow.lastNode ?? 0),
    last_link_id: largest(root.links),
    ...writeSheet(workflow, root, catalog, false),
    ...(subgraphs.length > 0 ? { definitions: { subgraphs } } : {}),
  };
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const end = (saved: Json | undefined): JsonObject =>
  isObject(saved) ? saved : { bounding: [0, 0, 120, 60] };

function largest(all: Record<string, unknown>): number {
  return Object.keys(all)
    .map(Number)
    .filter(Number.isSafeInteger)
    .reduce((most, id) => Math.max(most, id), 0);
}

function written(socket: Socket): JsonObject {
  const { name, type, label } = socket;
  return { name, type, ...(label ? { label } : {}) };
}

/** Ids are numbers in files where they look like one. */
const asId = (id: string): string | number => {
  const number = Number(id);
  return Number.isSafeInteger(number) && String(number) === id ? number : id;
};

function writeSheet(
  workflow: Workflow,
  sheet: Sheet,
  catalog: Catalog,
  inSubgraph: boolean,
): JsonObject {
  const links = Object.values(sheet.links);
  const slots = new Map<string, string[]>();
  const nodes = ordered(sheet).map((node, order): JsonObject => {
    const entering = links.filter((link) => link.to === node.id);
    const inputs = writtenInputs(workflow, node, catalog, entering);
    slots.set(
      node.id,
      inputs.map((input) => String(input.name)),
    );
    return writeNode(workflow, node, catalog, order, inputs, links);
  });
  const target = (link: Link): number =>
    link.to === EXIT ? Number(link.input) : (slots.get(link.to)?.indexOf(link.input) ?? -1);
  const wires = links.map((link): Json => {
    const [id, from, to] = [asId(link.id), asId(link.from), asId(link.to)];
    if (!inSubgraph) return [id, from, link.slot, to, target(link), link.type];
    return {
      id,
      origin_id: from,
      origin_slot: link.slot,
      target_id: to,
      target_slot: target(link),
      type: link.type,
    };
  });
  return { nodes, links: wires, groups: Object.values(sheet.groups).map(writeGroup) };
}

function writeGroup(group: Group): JsonObject {
  const { title, x, y, width, height, colour, kept } = group;
  return {
    ...kept,
    title,
    bounding: [x, y, width, height],
    ...(colour ? { color: colour } : {}),
  };
}

/** The sockets of a node that files list: those that links fill, and widgets with a link. */
function writtenInputs(
  workflow: Workflow,
  node: GraphNode,
  catalog: Catalog,
  entering: Link[],
): JsonObject[] {
  const linked = new Set(entering.map(({ input }) => input));
  const known = socketsOf(workflow, node, catalog, linked).inputs;
  const names = new Set(known.map(({ name }) => name));
  const strangers = entering
    .filter(({ input }) => !names.has(input))
    .map(({ input, type }) => ({ name: input, type, widget: false, kind: undefined }));
  return [...known, ...strangers].flatMap((socket) => {
    const link = entering.find(({ input }) => input === socket.name);
    if (socket.kind?.widget && !link && !workflow.subgraphs[node.type]) return [];
    return [
      {
        name: socket.name,
        type: socket.type,
        ...("label" in socket && socket.label ? { label: socket.label } : {}),
        link: link ? asId(link.id) : null,
        ...(socket.widget ? { widget: { name: socket.name } } : {}),
      },
    ];
  });
}

function writeNode(
  workflow: Workflow,
  node: GraphNode,
  catalog: Catalog,
  order: number,
  inputs: JsonObject[],
  links: Link[],
): JsonObject {
  const { outputs } = socketsOf(workflow, node, catalog);
  const size = estimated(workflow, node, catalog);
  const { widgets_values: _v, widgets_values_named: _n, ...kept } = node.kept ?? {};
  const properties = isObject(kept.properties) ? kept.properties : {};
  return {
    ...kept,
    id: asId(node.id),
    type: node.type,
    pos: [node.x, node.y],
    size: [size.width, node.height ?? size.height],
    flags: { ...(isObject(kept.flags) ? kept.flags : {}), collapsed: node.collapsed },
    order,
    mode: node.mode === "run" ? keptMode(kept.mode) : MODES[node.mode],
    ...(node.title ? { title: node.title } : {}),
    ...(node.colour ? { color: node.colour } : {}),
    inputs,
    outputs: outputs.map((output, slot) => ({
      ...written(output),
      links: links.flatMap((link) =>
        link.from === node.id && link.slot === slot ? [asId(link.id)] : [],
      ),
    })),
    properties: isReroute(node.type)
      ? properties
      : { "Node name for S&R": node.type, ...properties, ...hostAfter(workflow, node) },
    ...valuesOf(workflow, node, catalog),
  };
}

/** What happens to a host's numbers after a run, for which files have no place of their own. */
function hostAfter(workflow: Workflow, { type, after }: GraphNode): JsonObject {
  const said = workflow.subgraphs[type] && Object.keys(after).length > 0;
  return said ? { [HOST_AFTER]: after } : {};
}

/** Of the other modes that files know, all of which run. */
const keptMode = (mode: Json | undefined): Json => (mode === 2 || mode === 4 ? 0 : (mode ?? 0));

function valuesOf(workflow: Workflow, node: GraphNode, catalog: Catalog): JsonObject {
  const saved = node.kept?.widgets_values;
  const subgraph = workflow.subgraphs[node.type];
  if (node.type === PRIMITIVE) {
    const rest = Array.isArray(saved) ? saved.slice(1) : [];
    return { widgets_values: [node.values.value ?? null, ...rest] };
  }
  if (subgraph) {
    const names = hostNames(workflow, node, subgraph, catalog);
    const list = names.map((name) => node.values[name] ?? null);
    const others = Object.entries(node.values).filter(([name]) => !names.includes(name));
    return named(list, Object.fromEntries(others));
  }
  const kind = catalog.get(node.type);
  if (kind) {
    const { list, named: others } = writeList(node, kind);
    return named(list, others);
  }
  if (Array.isArray(saved)) return named(saved, node.values);
  return { widgets_values: node.values };
}

function named(list: Json[], others: Record<string, Json>): JsonObject {
  if (Object.keys(others).length === 0) return { widgets_values: list };
  return { widgets_values: list, widgets_values_named: others };
}
