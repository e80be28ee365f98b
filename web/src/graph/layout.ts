/** Places for nodes, from left to right along their links. */

import dagre from "@dagrejs/dagre";
import { place } from "./edits";
import { type Catalog, isNote, isReroute, socketsOf } from "./kinds";
import { type GraphNode, linkedInputs, type Point, type Sheet, type Workflow } from "./model";

export interface Size {
  width: number;
  height: number;
}

export const NODE_WIDTH = 260;
export const NOTE_SIZE: Size = { width: 220, height: 120 };
const ROW = 26;
const TALL_ROW = 92;
/** A file below the widget that names it; pictures are of any height. */
const SHOWN = { image: 190, audio: 60, video: 0 };
const GRID = 10;

/** How large a node will be drawn, near enough before it is. */
export function estimated(
  workflow: Workflow,
  node: GraphNode,
  catalog: Catalog,
  linked?: ReadonlySet<string>,
): Size {
  if (isReroute(node.type)) return { width: 40, height: 30 };
  if (isNote(node.type)) {
    const { width = NOTE_SIZE.width, height = NOTE_SIZE.height } = node;
    return { width, height };
  }
  const width = node.width ?? NODE_WIDTH;
  if (node.collapsed) return { width, height: 34 };
  const { inputs, outputs } = socketsOf(workflow, node, catalog, linked);
  const links = inputs.filter((input) => !input.widget).length;
  const unknown = !catalog.has(node.type) && !workflow.subgraphs[node.type];
  let height = (unknown ? 92 : 48) + Math.max(links, outputs.length) * ROW;
  for (const { kind } of inputs.filter((input) => input.widget)) {
    const widget = kind?.widget;
    height += widget?.kind === "text" && widget.multiline ? TALL_ROW : ROW + 4;
    const shown = kind && node.values[kind.name];
    if (widget?.kind === "choice" && widget.upload && shown) height += SHOWN[widget.upload];
  }
  return { width, height };
}

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
    const size = options.sizes?.get(node.id) ?? estimated(workflow, node, catalog, linked);
    graph.setNode(node.id, { ...size });
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
