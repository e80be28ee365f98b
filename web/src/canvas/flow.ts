/** The sheet as React Flow wants it. What did not change stays the same object, so that only what
 * changed is rendered; places in mid-drag are kept here and become an edit when they are let go. */

import { type Edge, type EdgeChange, type Node, type NodeChange, Position } from "@xyflow/react";
import { useCallback, useMemo, useRef, useState } from "react";
import { change, changeGroup, groupKey, linkKey, place } from "../graph/edits";
import { isNote, isReroute, titleOf } from "../graph/kinds";
import { estimated, NODE_WIDTH, type Rows, type Size } from "../graph/layout";
import {
  ENTRY,
  EXIT,
  type GraphNode,
  type Group,
  type Link,
  linkedInputs,
  type Point,
  type Sheet,
  type Workflow,
} from "../graph/model";
import { useCatalog } from "../stores/catalog";
import { tabNow, useDocuments } from "../stores/documents";
import { t } from "../strings";
import { inputKey, outputKey } from "./keys";

/** What stands behind an element of React Flow. */
export type NodeData = { node: GraphNode; group?: undefined } | { group: Group; node?: undefined };
/** A node, a note, a group, or an end of a subgraph. */
export type FlowNode = Node<NodeData & Record<string, unknown>>;
/** A link, with the type of what flows through it. */
export type FlowEdge = Edge<{ type: string }>;

interface Local {
  position?: Point;
  width?: number;
  height?: number;
  measured?: { width: number; height: number };
}

interface Cached {
  of: unknown;
  /** The subgraph that it stands for. */
  inside: unknown;
  local: Local | undefined;
  selected: boolean;
  flow: FlowNode;
}

/** Nodes and links of a sheet, and what React Flow tells of them. */
export function useFlow(
  workflow: Workflow,
  sheet: Sheet,
  selection: ReadonlySet<string>,
  ends: boolean,
) {
  const catalog = useCatalog((state) => state.catalog);
  const [locals, setLocals] = useState<ReadonlyMap<string, Local>>(new Map());
  const cache = useRef(new Map<string, Cached>());

  const nodes = useMemo(() => {
    const next = new Map<string, Cached>();
    const add = (
      id: string,
      of: GraphNode | Group,
      make: (local?: Local) => FlowNode,
      inside?: unknown,
    ): void => {
      const [local, selected] = [locals.get(id), selection.has(id)];
      const old = cache.current.get(id);
      const same =
        old?.of === of && old.inside === inside && old.local === local && old.selected === selected;
      next.set(
        id,
        same ? old : { of, inside, local, selected, flow: { ...make(local), selected } },
      );
    };
    for (const group of Object.values(sheet.groups)) {
      const id = groupKey(group.id);
      add(id, group, (local) => flowGroup(id, group, local));
    }
    for (const node of Object.values(sheet.nodes)) {
      const ariaLabel = titleOf(workflow, node, catalog);
      const make = (local?: Local): FlowNode => {
        const rows = estimated(workflow, node, catalog, linkedInputs(sheet, node.id));
        return { ...flowNode(node, local, rows), ariaLabel };
      };
      add(node.id, node, make, workflow.subgraphs[node.type]);
    }
    if (ends) {
      for (const node of endNodes(sheet, cache.current))
        add(node.id, node, (local) => flowEnd(node, local));
    }
    cache.current = next;
    return [...next.values()].map(({ flow }) => flow);
  }, [workflow, sheet, selection, locals, ends, catalog]);

  const links = useRef(new Map<Link, FlowEdge>());
  const edges = useMemo(() => {
    const next = new Map<Link, FlowEdge>();
    const name = (id: string): string => {
      const node = sheet.nodes[id];
      return node ? titleOf(workflow, node, catalog) : id;
    };
    for (const link of Object.values(sheet.links)) {
      const selected = selection.has(linkKey(link.id));
      const old = links.current.get(link);
      const ariaLabel = t.canvas.link(name(link.from), name(link.to));
      const same = old?.selected === selected && old.ariaLabel === ariaLabel;
      next.set(link, same ? old : { ...flowEdge(link, selected), ariaLabel });
    }
    links.current = next;
    return [...next.values()];
  }, [workflow, sheet, selection, catalog]);

  const onNodesChange = useCallback((changes: NodeChange<FlowNode>[]) => {
    const selected = selectionAfter(changes);
    if (selected) useDocuments.getState().select(selected);
    const moved = new Map<string, Point>();
    const resized = new Map<string, { width: number; height: number }>();
    setLocals((old) => {
      const next = new Map(old);
      let changed = false;
      for (const change of changes) {
        if (change.type === "dimensions" && change.dimensions) {
          const local = { ...next.get(change.id), measured: change.dimensions };
          if (change.setAttributes) Object.assign(local, change.dimensions);
          next.set(change.id, local);
          changed = true;
        } else if (change.type === "position" && change.position && change.dragging) {
          next.set(change.id, { ...next.get(change.id), position: change.position });
          changed = true;
        }
      }
      return changed ? next : old;
    });
    for (const change of changes) {
      if (change.type === "position" && change.position && !change.dragging) {
        moved.set(change.id, change.position);
      }
      if (change.type === "dimensions" && change.resizing === false && change.dimensions) {
        resized.set(change.id, change.dimensions);
      }
    }
    if (moved.size > 0) drop(moved);
    if (resized.size > 0) resize(resized);
    if (moved.size + resized.size > 0) letGo(setLocals, [...moved.keys(), ...resized.keys()]);
  }, []);

  const onEdgesChange = useCallback((changes: EdgeChange<FlowEdge>[]) => {
    const selected = selectionAfter(changes);
    if (selected) useDocuments.getState().select(selected);
  }, []);

  /** Keeps a place in mid-drag for what is moved along. */
  const carry = useCallback((places: ReadonlyMap<string, Point>) => {
    setLocals((old) => {
      const next = new Map(old);
      for (const [id, position] of places) next.set(id, { ...next.get(id), position });
      return next;
    });
  }, []);
  const release = useCallback((ids: Iterable<string>) => letGo(setLocals, ids), []);

  return { nodes, edges, onNodesChange, onEdgesChange, carry, release };
}

type SetLocals = (change: (old: ReadonlyMap<string, Local>) => ReadonlyMap<string, Local>) => void;

/** From here on the document says where these are, and how large. */
function letGo(setLocals: SetLocals, ids: Iterable<string>): void {
  setLocals((old) => {
    const next = new Map(old);
    for (const id of ids) {
      const measured = next.get(id)?.measured;
      if (measured) next.set(id, { measured });
      else next.delete(id);
    }
    return next;
  });
}

/** Nodes and groups put where they were let go. */
export function drop(moved: ReadonlyMap<string, Point>): void {
  const documents = useDocuments.getState();
  const merge = `move:${[...moved.keys()].join()}`;
  documents.editSheet(
    t.edits.move,
    (sheet) => {
      let next = place(sheet, moved);
      for (const [id, at] of moved) {
        const group = groupOf(sheet, id);
        if (group && (group.x !== at.x || group.y !== at.y)) next = changeGroup(next, group.id, at);
      }
      return next;
    },
    merge,
  );
}

const groupOf = (sheet: Sheet, key: string): Group | undefined =>
  Object.values(sheet.groups).find(({ id }) => groupKey(id) === key);

function resize(sizes: ReadonlyMap<string, { width: number; height: number }>): void {
  useDocuments.getState().editSheet(t.edits.resize, (sheet) => {
    let next = sheet;
    for (const [id, { width, height }] of sizes) {
      const node = sheet.nodes[id];
      const group = groupOf(sheet, id);
      if (group) next = changeGroup(next, group.id, { width, height });
      else if (node) next = change(next, id, isNote(node.type) ? { width, height } : { width });
    }
    return next;
  });
}

/** The selection after some changes of it; undefined where there are none. */
function selectionAfter(changes: { type: string; id?: string; selected?: boolean }[]) {
  const chosen = changes.filter(({ type }) => type === "select");
  if (chosen.length === 0) return undefined;
  const selection = new Set(tabNow()?.selection);
  for (const { id = "", selected } of chosen) {
    if (selected) selection.add(id);
    else selection.delete(id);
  }
  return selection;
}

/** How large a node is, or will be. */
export function sizeOf({ measured, width, height }: FlowNode): Size {
  return { width: measured?.width ?? width ?? 0, height: measured?.height ?? height ?? 0 };
}

/** Until it is drawn in full, a node is as large as estimated, and so are its sockets' places:
 * so what is out of sight, or far away, need not be drawn to be measured. */
function flowNode(node: GraphNode, local: Local | undefined, rows: Rows): FlowNode {
  const note = isNote(node.type);
  const width = local?.width ?? rows.width;
  const { measured = { width, height: rows.height } } = local ?? {};
  return {
    id: node.id,
    type: note ? "note" : isReroute(node.type) ? "reroute" : "node",
    position: local?.position ?? { x: node.x, y: node.y },
    width: isReroute(node.type) ? undefined : width,
    height: note ? (local?.height ?? rows.height) : undefined,
    measured,
    handles: local?.measured ? undefined : socketsAt(rows),
    data: { node },
  };
}

const SOCKET = 12;

function socketsAt({ width, inputs, outputs }: Rows): FlowNode["handles"] {
  const size = { width: SOCKET, height: SOCKET };
  return [
    ...inputs.map(({ name, y }) => ({
      ...size,
      id: inputKey(name),
      type: "target" as const,
      position: Position.Left,
      x: -SOCKET / 2,
      y: y - SOCKET / 2,
    })),
    ...outputs.map((y, slot) => ({
      ...size,
      id: outputKey(slot),
      type: "source" as const,
      position: Position.Right,
      x: width - SOCKET / 2,
      y: y - SOCKET / 2,
    })),
  ];
}

function flowEnd(node: GraphNode, local: Local | undefined): FlowNode {
  return {
    id: node.id,
    type: "end",
    position: { x: node.x, y: node.y },
    measured: local?.measured,
    data: { node },
    draggable: false,
    selectable: false,
  };
}

function flowGroup(id: string, group: Group, local: Local | undefined): FlowNode {
  return {
    id,
    type: "frame",
    position: local?.position ?? { x: group.x, y: group.y },
    width: local?.width ?? group.width,
    height: local?.height ?? group.height,
    measured: local?.measured ?? { width: group.width, height: group.height },
    handles: [],
    data: { group },
    zIndex: -1,
  };
}

function flowEdge(link: Link, selected: boolean): FlowEdge {
  return {
    id: linkKey(link.id),
    type: "link",
    source: link.from,
    sourceHandle: outputKey(link.slot),
    target: link.to,
    targetHandle: inputKey(link.input),
    data: { type: link.type },
    selected,
  };
}

/** Where a subgraph's inputs come in and its outputs leave: left and right of everything. */
function endNodes(sheet: Sheet, cache: ReadonlyMap<string, Cached>): GraphNode[] {
  const nodes = Object.values(sheet.nodes);
  const some = nodes.length > 0 ? nodes : [{ x: 0, y: 0, width: 0 }];
  const left = Math.min(...some.map(({ x }) => x));
  const right = Math.max(...some.map(({ x, width }) => x + (width ?? NODE_WIDTH)));
  const top = Math.min(...some.map(({ y }) => y));
  const make = (id: string, x: number): GraphNode => {
    const old = cache.get(id)?.of as GraphNode | undefined;
    if (old && old.x === x && old.y === top) return old;
    return { id, type: id, x, y: top, mode: "run", collapsed: false, values: {}, after: {} };
  };
  return [make(ENTRY, left - 240), make(EXIT, right + 80)];
}
