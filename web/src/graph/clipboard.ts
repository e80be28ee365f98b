/** Parts of sheets taken out and put in: copy, paste, duplicate. The text is a workflow file. */

import { groupKey } from "./edits";
import { writeJson } from "./json";
import type { Catalog } from "./kinds";
import {
  emptyWorkflow,
  freshId,
  type GraphNode,
  type Group,
  type Link,
  onSheet,
  type Point,
  type Sheet,
  type Subgraph,
  sheetOf,
  type Workflow,
} from "./model";
import { toEditor } from "./write_editor";

/** Some nodes and groups of a sheet as a workflow of their own, with the subgraphs they use. */
export function excerpt(workflow: Workflow, sheetKey: string, ids: ReadonlySet<string>): Workflow {
  const sheet = sheetOf(workflow, sheetKey);
  const nodes = pick(sheet.nodes, (node) => ids.has(node.id));
  const links = pick(sheet.links, (link) => ids.has(link.from) && ids.has(link.to));
  const groups = pick(sheet.groups, (group) => ids.has(groupKey(group.id)));
  const subgraphs: Record<string, Subgraph> = {};
  const take = (part: Record<string, GraphNode>): void => {
    for (const { type } of Object.values(part)) {
      const subgraph = workflow.subgraphs[type];
      if (!subgraph || subgraphs[type]) continue;
      subgraphs[type] = subgraph;
      take(subgraph.sheet.nodes);
    }
  };
  take(nodes);
  return { ...emptyWorkflow(), root: { nodes, links, groups }, subgraphs };
}

function pick<T>(all: Record<string, T>, wanted: (entry: T) => boolean): Record<string, T> {
  return Object.fromEntries(Object.entries(all).filter(([, entry]) => wanted(entry)));
}

/** An excerpt as it is put on the clipboard. */
export const asText = (part: Workflow, catalog: Catalog): string =>
  writeJson(toEditor(part, catalog), 1);

/** Where a part is put: its upper left corner, or how far from where it came. */
export type Target = { at: Point } | { by: Point };

/** The workflow with a part put in, and the ids that its nodes got. */
export function insert(
  workflow: Workflow,
  sheetKey: string,
  part: Workflow,
  target: Target,
): { workflow: Workflow; ids: string[] } {
  const shift = "by" in target ? target.by : shiftTo(part.root, target.at);
  const ids: string[] = [];
  const subgraphs = { ...part.subgraphs, ...workflow.subgraphs };
  const next = onSheet({ ...workflow, subgraphs }, sheetKey, (sheet) => {
    const nodes = { ...sheet.nodes };
    const renamed = new Map<string, string>();
    for (const node of Object.values(part.root.nodes)) {
      const id = freshId(nodes, workflow.lastNode);
      renamed.set(node.id, id);
      ids.push(id);
      nodes[id] = { ...node, id, rank: undefined, x: node.x + shift.x, y: node.y + shift.y };
    }
    const links = addLinks(sheet.links, Object.values(part.root.links), renamed);
    return { nodes, links, groups: addGroups(sheet.groups, part.root.groups, shift) };
  });
  return { workflow: next, ids };
}

function shiftTo(sheet: Sheet, at: Point): Point {
  const all = [...Object.values(sheet.nodes), ...Object.values(sheet.groups)];
  if (all.length === 0) return { x: 0, y: 0 };
  const left = Math.min(...all.map(({ x }) => x));
  const top = Math.min(...all.map(({ y }) => y));
  return { x: Math.round(at.x - left), y: Math.round(at.y - top) };
}

function addLinks(
  links: Record<string, Link>,
  added: Link[],
  renamed: ReadonlyMap<string, string>,
): Record<string, Link> {
  const all = { ...links };
  for (const link of added) {
    const [from, to] = [renamed.get(link.from), renamed.get(link.to)];
    if (from === undefined || to === undefined) continue;
    const id = freshId(all);
    all[id] = { ...link, id, from, to };
  }
  return all;
}

function addGroups(
  groups: Record<string, Group>,
  added: Record<string, Group>,
  shift: Point,
): Record<string, Group> {
  const all = { ...groups };
  for (const group of Object.values(added)) {
    const id = freshId(all);
    all[id] = { ...group, id, x: group.x + shift.x, y: group.y + shift.y };
  }
  return all;
}
