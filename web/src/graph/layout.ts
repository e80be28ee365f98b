/** Places for nodes, from left to right along their links. */

import dagre from "@dagrejs/dagre";
import { place } from "./edits";
import {
  type Catalog,
  type Folded,
  type InputKind,
  isNote,
  isReroute,
  type Option,
  type Widget,
} from "./kinds";
import {
  type GraphNode,
  type Json,
  linkedInputs,
  type Point,
  type Sheet,
  type Workflow,
} from "./model";
import { socketsOf } from "./sockets";

/** In pixels of the canvas. */
export interface Size {
  width: number;
  height: number;
}

/** Of a node to which nobody gave another one. */
export const NODE_WIDTH = 260;
/** Of a note to which nobody gave another one. */
export const NOTE_SIZE: Size = { width: 220, height: 120 };
/** Of a row with sockets. */
export const ROW = 26;
const TALL_ROW = 92;
/** A file below the widget that names it; pictures are of any height, most often square. */
const SHOWN = { image: 250, audio: 60, video: 0 };
/** All above the first row. */
export const HEADER = 37;
const GRID = 10;

/** Where the middle of each socket will be drawn, from the top of its node. */
export interface Rows extends Size {
  inputs: { name: string; y: number }[];
  outputs: number[];
}

/** How large a node will be drawn, and where its sockets, near enough before it is. */
export function estimated(
  workflow: Folded,
  node: GraphNode,
  catalog: Catalog,
  linked?: ReadonlySet<string>,
): Rows {
  if (isNote(node.type)) {
    const { width = NOTE_SIZE.width, height = NOTE_SIZE.height } = node;
    return { width: Math.round(width), height: Math.round(height), inputs: [], outputs: [] };
  }
  if (isReroute(node.type)) {
    const [width, height] = [40, 26];
    return { width, height, inputs: [{ name: "", y: height / 2 }], outputs: [height / 2] };
  }
  const width = Math.round(node.width ?? NODE_WIDTH);
  const { inputs, outputs, bare = [] } = socketsOf(workflow, node, catalog, linked);
  const middle = (row: number): number => HEADER + row * ROW + ROW / 2;
  if (node.collapsed) {
    const y = 16;
    return {
      width,
      height: 34,
      inputs: inputs.map(({ name }) => ({ name, y })),
      outputs: outputs.map(() => y),
    };
  }
  const links = inputs.filter((input) => !input.widget);
  const places = links.map(({ name }, row) => ({ name, y: middle(row) }));
  let height = HEADER + Math.max(links.length, outputs.length) * ROW;
  for (const { name, kind } of inputs.filter((input) => input.widget)) {
    const value = valueAt(node, name, kind);
    places.push({ name, y: height + rowHeight(kind?.widget, value) / 2 });
    height += fieldHeight(kind?.widget, value);
  }
  for (const kind of bare) height += fieldHeight(kind.widget, valueAt(node, kind.name, kind));
  const unknown = !catalog.has(node.type) && !workflow.subgraphs[node.type];
  height += unknown ? 55 : 11;
  return { width, height, inputs: places, outputs: outputs.map((_output, row) => middle(row)) };
}

const valueAt = (node: GraphNode, name: string, kind?: InputKind): Json | undefined =>
  node.values[name] ?? kind?.default;

function fieldHeight(widget: Widget | undefined, value: Json | undefined): number {
  const file = widget?.kind === "choice" && value ? widget.upload : undefined;
  return rowHeight(widget, value) + (file ? SHOWN[file] : 0);
}

function rowHeight(widget: Widget | undefined, value: Json | undefined): number {
  if (widget?.kind === "text" && widget.multiline) return TALL_ROW;
  const isMissing = widget?.kind === "choice" && widget.models && !isAmong(widget.options, value);
  // Below it is said that the model is missing, beside the button that fetches it.
  return isMissing ? 2 * ROW + 7 : ROW + 4;
}

const isAmong = (options: readonly Option[], value: Json | undefined): boolean =>
  options.some((option) => option === value);

/** The sheet with its nodes (all, or some of them) put into columns; where the topmost left one
 * stood, the topmost left one stands again. */
export function layout(
  workflow: Workflow,
  sheet: Sheet,
  catalog: Catalog,
  options: { only?: ReadonlySet<string>; sizes?: ReadonlyMap<string, Size> } = {},
): Sheet {
  const nodes = Object.values(sheet.nodes).filter(({ id }) => options.only?.has(id) ?? true);
  if (nodes.length === 0) return sheet;
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 34, ranksep: 80, edgesep: 20 });
  graph.setDefaultEdgeLabel(() => ({}));
  const ids = new Set(nodes.map(({ id }) => id));
  for (const node of nodes) {
    const linked = linkedInputs(sheet, node.id);
    const { width, height } =
      options.sizes?.get(node.id) ?? estimated(workflow, node, catalog, linked);
    graph.setNode(node.id, { width, height });
  }
  for (const link of Object.values(sheet.links)) {
    if (ids.has(link.from) && ids.has(link.to)) graph.setEdge(link.from, link.to);
  }
  dagre.layout(graph);
  const left = Math.min(...nodes.map(({ x }) => x));
  const top = Math.min(...nodes.map(({ y }) => y));
  const found = nodes.map(({ id }) => {
    const { x = 0, y = 0, width = 0, height = 0 } = graph.node(id) as Partial<Point & Size>;
    return { id, x: x - width / 2, y: y - height / 2 };
  });
  const [minX, minY] = [Math.min(...found.map(({ x }) => x)), Math.min(...found.map(({ y }) => y))];
  const snapped = (value: number): number => Math.round(value / GRID) * GRID;
  const places = new Map<string, Point>(
    found.map(({ id, x, y }) => [id, { x: snapped(x - minX + left), y: snapped(y - minY + top) }]),
  );
  return place(sheet, places);
}
