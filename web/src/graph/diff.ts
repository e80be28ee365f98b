/** What changed between two states of a workflow. */

import { isNote, isReroute } from "./kinds";
import { NODE_WIDTH, NOTE_SIZE } from "./layout";
import {
  type AfterRun,
  type GraphNode,
  type Group,
  type Json,
  type Link,
  type Mode,
  type Point,
  ROOT,
  type Sheet,
  sheetOf,
  type Workflow,
} from "./model";

/** A change on a sheet; what a node was is in the state before, what it is in the one after. */
export type Change = { sheet: string } & (
  | { kind: "added" | "removed"; node: string }
  | { kind: "moved"; node: string; before: Point; after: Point }
  | { kind: "type" | "title"; node: string; before: string; after: string }
  | { kind: "mode"; node: string; before: Mode; after: Mode }
  | { kind: "value"; node: string; input: string; before?: Json; after?: Json }
  | { kind: "afterRun"; node: string; input: string; before: AfterRun; after: AfterRun }
  | { kind: "look"; node: string }
  | { kind: "linked" | "unlinked"; link: Link }
  | { kind: "groupAdded" | "groupRemoved" | "groupChanged"; group: Group }
  | { kind: "subgraphAdded" | "subgraphRemoved" | "subgraphChanged"; name: string }
);

/** All changes from one state to another, sheet by sheet; none where they do the same and look the
 * same. Nodes are the same by their id, links by their ends, groups by their id. */
export function diff(before: Workflow, after: Workflow): Change[] {
  const ids = new Set([...Object.keys(before.subgraphs), ...Object.keys(after.subgraphs)]);
  return [
    ...onSheets(ROOT, before, after),
    ...[...ids].flatMap((id): Change[] => {
      const [old, now] = [before.subgraphs[id], after.subgraphs[id]];
      if (old === now) return [];
      const name = (now ?? old)?.name ?? id;
      if (!old) return [{ kind: "subgraphAdded", sheet: id, name }];
      if (!now) return [{ kind: "subgraphRemoved", sheet: id, name }];
      const face = old.name === now.name && same(faceOf(old), faceOf(now));
      const own: Change[] = face ? [] : [{ kind: "subgraphChanged", sheet: id, name }];
      return [...own, ...onSheets(id, before, after)];
    }),
  ];
}

const faceOf = ({ inputs, outputs }: Workflow["subgraphs"][string]): Json =>
  [...inputs, ...outputs].map(({ name, type, label }) => [name, type, label ?? ""]);

function onSheets(id: string, before: Workflow, after: Workflow): Change[] {
  const [old, now] = [sheetOf(before, id), sheetOf(after, id)];
  if (old === now) return [];
  const changes: Change[] = [];
  for (const node of Object.values(old.nodes)) {
    const kept = now.nodes[node.id];
    if (!kept) changes.push({ kind: "removed", sheet: id, node: node.id });
    else if (kept !== node) changes.push(...nodeChanges(id, node, kept));
  }
  for (const node of Object.keys(now.nodes)) {
    if (!old.nodes[node]) changes.push({ kind: "added", sheet: id, node });
  }
  return [...changes, ...ofLinks(id, old, now), ...ofGroups(id, old, now)];
}

/** What is different of a node. */
export function nodeChanges(sheet: string, old: GraphNode, now: GraphNode): Change[] {
  const at = { sheet, node: old.id };
  const changes: Change[] = [];
  if (old.type !== now.type)
    changes.push({ ...at, kind: "type", before: old.type, after: now.type });
  const [title, newTitle] = [old.title ?? "", now.title ?? ""];
  if (title !== newTitle) changes.push({ ...at, kind: "title", before: title, after: newTitle });
  if (old.mode !== now.mode)
    changes.push({ ...at, kind: "mode", before: old.mode, after: now.mode });
  for (const input of keys(old.values, now.values)) {
    const [before, after] = [old.values[input], now.values[input]];
    if (!same(before, after)) changes.push({ ...at, kind: "value", input, before, after });
  }
  for (const input of keys(old.after, now.after)) {
    const [before, after] = [old.after[input] ?? "fixed", now.after[input] ?? "fixed"];
    if (before !== after) changes.push({ ...at, kind: "afterRun", input, before, after });
  }
  if (old.x !== now.x || old.y !== now.y) {
    const [before, after] = [old, now].map(({ x, y }): Point => ({ x, y }));
    if (before && after) changes.push({ ...at, kind: "moved", before, after });
  }
  const look = (node: GraphNode): Json => [node.collapsed, node.colour ?? null, ...sizeOf(node)];
  if (!same(look(old), look(now))) changes.push({ ...at, kind: "look" });
  return changes;
}

/** What of a node's size a person chose; the height of most nodes is that of what is in them. */
function sizeOf({ type, width, height }: GraphNode): number[] {
  if (isNote(type)) return [width ?? NOTE_SIZE.width, height ?? NOTE_SIZE.height];
  return isReroute(type) ? [] : [width ?? NODE_WIDTH];
}

const ends = ({ from, slot, to, input }: Link): string => JSON.stringify([from, slot, to, input]);

function ofLinks(sheet: string, old: Sheet, now: Sheet): Change[] {
  if (old.links === now.links) return [];
  const before = new Map(Object.values(old.links).map((link) => [ends(link), link]));
  const after = new Map(Object.values(now.links).map((link) => [ends(link), link]));
  return [
    ...[...before].flatMap(([key, link]): Change[] =>
      after.has(key) ? [] : [{ kind: "unlinked", sheet, link }],
    ),
    ...[...after].flatMap(([key, link]): Change[] =>
      before.has(key) ? [] : [{ kind: "linked", sheet, link }],
    ),
  ];
}

function ofGroups(sheet: string, old: Sheet, now: Sheet): Change[] {
  if (old.groups === now.groups) return [];
  const face = ({ title, x, y, width, height, colour }: Group): Json => [
    title,
    [x, y, width, height],
    colour ?? null,
  ];
  return [...keys(old.groups, now.groups)].flatMap((id): Change[] => {
    const [before, after] = [old.groups[id], now.groups[id]];
    if (!before) return after ? [{ kind: "groupAdded", sheet, group: after }] : [];
    if (!after) return [{ kind: "groupRemoved", sheet, group: before }];
    return same(face(before), face(after)) ? [] : [{ kind: "groupChanged", sheet, group: after }];
  });
}

const keys = (one: object, other: object): Set<string> =>
  new Set([...Object.keys(one), ...Object.keys(other)]);

/** Whether two values are the same all the way down. */
export function same(one: Json | undefined, other: Json | undefined): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) {
    return false;
  }
  if (Array.isArray(one) || Array.isArray(other)) {
    if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false;
    return one.every((item, place) => same(item, other[place]));
  }
  return [...keys(one, other)].every((key) => same(one[key], other[key]));
}

/** How much a node of a sheet changed, in one word; what is not in it did not. */
export type Mark = "added" | "removed" | "changed" | "moved";

/** The marks of a sheet's nodes. */
export function marks(changes: readonly Change[], sheet: string): Map<string, Mark> {
  const found = new Map<string, Mark>();
  for (const change of changes) {
    if (change.sheet !== sheet || !("node" in change)) continue;
    const { node, kind } = change;
    const mark = kind === "added" || kind === "removed" || kind === "moved" ? kind : "changed";
    const old = found.get(node);
    if (!old || old === "moved") found.set(node, mark);
  }
  return found;
}
