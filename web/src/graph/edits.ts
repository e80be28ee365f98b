/** Every change that a person can make to a sheet: a sheet in, a new sheet out. */

import { defaults, inputsOf } from "./dynamic";
import { type Catalog, isReroute, type Widget } from "./kinds";
import {
  type AfterRun,
  freshId,
  type GraphNode,
  type Group,
  type Json,
  type Link,
  linkInto,
  type Mode,
  type Point,
  type Sheet,
} from "./model";

/** A new node of a kind with its defaults; nothing links to it yet. */
export function newNode(id: string, type: string, at: Point, catalog: Catalog): GraphNode {
  const kind = catalog.get(type);
  const after: Record<string, AfterRun> = {};
  const values = defaults(kind);
  for (const { name, widget, optional } of kind ? inputsOf(kind, values) : []) {
    if (widget?.kind === "number" && widget.seed) after[name] = "randomize";
    const shown = widget && !optional ? untouched(widget) : undefined;
    if (shown !== undefined) values[name] ??= shown;
  }
  const { x, y } = at;
  return { id, type, x, y, mode: "run", collapsed: false, values, after };
}

/** What a widget shows that nobody touched is sent: an empty text is a text. */
function untouched(widget: Widget): Json | undefined {
  switch (widget.kind) {
    case "text":
      return "";
    case "number":
      return 0;
    case "toggle":
      return false;
    case "colour":
      return "#000000";
    default:
      return undefined;
  }
}

/** With one more node, or with one of the same id replaced. */
export function addNode(sheet: Sheet, node: GraphNode): Sheet {
  return { ...sheet, nodes: { ...sheet.nodes, [node.id]: node } };
}

/** Some fields of a node changed; an unknown id changes nothing. */
export function change(
  sheet: Sheet,
  id: string,
  edit: Partial<GraphNode> | ((node: GraphNode) => GraphNode),
): Sheet {
  const node = sheet.nodes[id];
  if (!node) return sheet;
  const edited = typeof edit === "function" ? edit(node) : { ...node, ...edit };
  return edited === node ? sheet : { ...sheet, nodes: { ...sheet.nodes, [id]: edited } };
}

function changeAll(
  sheet: Sheet,
  ids: Iterable<string>,
  edit: (node: GraphNode) => GraphNode,
): Sheet {
  const nodes = { ...sheet.nodes };
  let changed = false;
  for (const id of ids) {
    const node = nodes[id];
    if (!node) continue;
    const edited = edit(node);
    changed ||= edited !== node;
    nodes[id] = edited;
  }
  return changed ? { ...sheet, nodes } : sheet;
}

/** With another value of a widget. */
export function setValue(sheet: Sheet, id: string, input: string, value: Json): Sheet {
  return change(sheet, id, (node) =>
    Object.is(node.values[input], value)
      ? node
      : { ...node, values: { ...node.values, [input]: value } },
  );
}

/** With something else that happens to a number after a run. */
export function setAfter(sheet: Sheet, id: string, input: string, after: AfterRun): Sheet {
  return change(sheet, id, (node) => ({ ...node, after: { ...node.after, [input]: after } }));
}

/** With nodes that run, are muted or are bypassed. */
export function setMode(sheet: Sheet, ids: Iterable<string>, mode: Mode): Sheet {
  return changeAll(sheet, ids, (node) => (node.mode === mode ? node : { ...node, mode }));
}

/** With nodes collapsed, or expanded. */
export function setCollapsed(sheet: Sheet, ids: Iterable<string>, collapsed: boolean): Sheet {
  return changeAll(sheet, ids, (node) =>
    node.collapsed === collapsed ? node : { ...node, collapsed },
  );
}

/** Nodes and groups put to new places, by id. */
export function place(sheet: Sheet, places: ReadonlyMap<string, Point>): Sheet {
  return changeAll(sheet, places.keys(), (node) => {
    const at = places.get(node.id);
    return !at || (at.x === node.x && at.y === node.y) ? node : { ...node, x: at.x, y: at.y };
  });
}

/** Without some nodes and groups, and without their links. */
export function remove(sheet: Sheet, ids: ReadonlySet<string>): Sheet {
  const keep = <T extends { id: string }>(all: Record<string, T>): Record<string, T> =>
    Object.fromEntries(Object.entries(all).filter(([id]) => !ids.has(id)));
  const links = Object.entries(sheet.links).filter(
    ([id, link]) => !ids.has(link.from) && !ids.has(link.to) && !ids.has(linkKey(id)),
  );
  return {
    nodes: keep(sheet.nodes),
    links: Object.fromEntries(links),
    groups: Object.fromEntries(
      Object.entries(sheet.groups).filter(([id]) => !ids.has(groupKey(id))),
    ),
  };
}

/** Links and groups are selected beside nodes: keys that no node has. */
export const linkKey = (id: string): string => `link:${id}`;
export const groupKey = (id: string): string => `group:${id}`;

/** A link drawn; an input has one at most, so an older one goes. */
export function connect(sheet: Sheet, drawn: Omit<Link, "id">): Sheet {
  const old = linkInto(sheet, drawn.to, drawn.input);
  if (old && old.from === drawn.from && old.slot === drawn.slot) return sheet;
  const links = { ...sheet.links };
  if (old) delete links[old.id];
  const id = freshId(sheet.links);
  const { from, slot, to, input, type } = drawn;
  links[id] = { id, from, slot, to, input, type };
  return { ...sheet, links };
}

/** Without a link, by its id. */
export function disconnect(sheet: Sheet, link: string): Sheet {
  if (!sheet.links[link]) return sheet;
  const { [link]: _, ...links } = sheet.links;
  return { ...sheet, links };
}

/** A bend put into a link; no node gets a number up to the one that was used last. */
export function reroute(
  sheet: Sheet,
  linkId: string,
  at: Point,
  catalog: Catalog,
  used?: number,
): Sheet {
  const link = sheet.links[linkId];
  if (!link) return sheet;
  const id = freshId(sheet.nodes, used);
  const type = [...catalog.keys()].find(isReroute) ?? "Reroute";
  let next = addNode(sheet, newNode(id, type, at, catalog));
  next = connect(next, { ...link, to: id, input: "" });
  return connect(next, { ...link, from: id, slot: 0 });
}

/** With one more group, under an id of its own. */
export function addGroup(sheet: Sheet, group: Omit<Group, "id">): Sheet {
  const id = freshId(sheet.groups);
  return { ...sheet, groups: { ...sheet.groups, [id]: { ...group, id } } };
}

/** With some fields of a group changed; an unknown id changes nothing. */
export function changeGroup(sheet: Sheet, id: string, edit: Partial<Group>): Sheet {
  const group = sheet.groups[id];
  if (!group) return sheet;
  return { ...sheet, groups: { ...sheet.groups, [id]: { ...group, ...edit } } };
}
