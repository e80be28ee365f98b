/** What handlers of the canvas and its menus do to the document. */

import { align, type Side } from "../graph/align";
import { asText, excerpt, insert } from "../graph/clipboard";
import { fitting, type Loose } from "../graph/connect";
import { addGroup, addNode, newNode, remove, setCollapsed, setMode } from "../graph/edits";
import { link } from "../graph/ends";
import { openText } from "../graph/files";
import { freePlace } from "../graph/free_place";
import { estimated, layout, type Size } from "../graph/layout";
import { type Box, freshId, type Mode, onSheet, type Point, sheetOf } from "../graph/model";
import { fold, unfoldNode } from "../graph/subgraphs";
import { catalogNow } from "../stores/catalog";
import { tabNow, useDocuments } from "../stores/documents";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { boundsOf, boxesNow, boxesOf, nextPlace, pointed } from "./placing";

const OFFSET = 40;
const ORIGIN: Point = { x: 0, y: 0 };
const NOTHING: Box = { ...ORIGIN, width: 0, height: 0 };

const documents = () => useDocuments.getState();

/** The nodes that are selected. */
export function selectedNodes(): string[] {
  const tab = tabNow();
  if (!tab) return [];
  const { nodes } = sheetOf(tab.history.present, tab.sheet);
  return [...tab.selection].filter((id) => id in nodes);
}

/** Adds a node where somebody pointed, else at the next free place; linked to the link that waited
 * for it. */
export function add(type: string, at?: Point, loose?: Loose): void {
  const tab = tabNow();
  const catalog = catalogNow();
  if (!tab) return;
  const kind = catalog.get(type);
  const workflow = tab.history.present;
  const id = freshId(sheetOf(workflow, tab.sheet).nodes, workflow.lastNode);
  const size = estimated(workflow, newNode(id, type, ORIGIN, catalog), catalog);
  const place = at ? pointed(at, loose) : nextPlace(size);
  documents().edit(t.edits.add(kind?.title ?? type), (workflow) => {
    const added = onSheet(workflow, tab.sheet, (sheet) =>
      addNode(sheet, newNode(id, type, place, catalog)),
    );
    const socket = kind && loose ? fitting(kind, loose) : undefined;
    if (!loose || socket === undefined) return added;
    const drawn =
      loose.side === "output"
        ? { from: loose.node, slot: loose.slot, to: id, input: String(socket) }
        : { from: id, slot: Number(socket), to: loose.node, input: loose.input };
    return link(added, tab.sheet, catalog, drawn);
  });
  documents().select([id]);
  if (!at) useUi.getState().view?.reveal({ ...place, ...size });
  useUi.getState().announce(t.said.added(kind?.title ?? type));
}

/** Removes the selected nodes, links and groups. */
export function removeSelected(): void {
  const tab = tabNow();
  if (!tab || tab.selection.size === 0) return;
  const count = tab.selection.size;
  documents().editSheet(t.edits.remove(count), (sheet) => remove(sheet, tab.selection));
  useUi.getState().announce(t.said.removed(count));
}

/** The selected nodes as text, for a clipboard; null: nothing is selected. */
export function copied(): string | null {
  const tab = tabNow();
  if (!tab || tab.selection.size === 0) return null;
  return asText(excerpt(tab.history.present, tab.sheet, tab.selection), catalogNow());
}

/** Puts a workflow's text in at a point, or as near to it as there is room; without one, at the next
 * free place. False where the text is none. */
export function paste(text: string, at?: Point): boolean {
  const tab = tabNow();
  if (!tab || !text.trimStart().startsWith("{")) return false;
  try {
    const catalog = catalogNow();
    const part = openText(text, t.clipboard, catalog);
    const boxes = [...boxesOf(part, part.root, catalog), ...Object.values(part.root.groups)];
    const size = boundsOf(boxes.length > 0 ? boxes : [NOTHING]);
    const place = at ? freePlace(boxesNow(), size, at) : nextPlace(size);
    let ids: string[] = [];
    documents().edit(t.edits.paste, (workflow) => {
      const inserted = insert(workflow, tab.sheet, part, { at: place });
      ids = inserted.ids;
      return inserted.workflow;
    });
    documents().select(ids);
    // Where somebody pointed, its corner has to be seen, else all of it.
    useUi.getState().view?.reveal({ ...(at ? NOTHING : size), ...place });
    useUi.getState().announce(t.said.added(t.nodes(ids.length)));
    return true;
  } catch (error) {
    useUi.getState().say(String(error instanceof Error ? error.message : error), "error");
    return true;
  }
}

/** Puts copies of the selected nodes beside them. */
export function duplicate(): void {
  const tab = tabNow();
  if (!tab || tab.selection.size === 0) return;
  const part = excerpt(tab.history.present, tab.sheet, tab.selection);
  let ids: string[] = [];
  documents().edit(t.edits.duplicate, (workflow) => {
    const inserted = insert(workflow, tab.sheet, part, { by: { x: OFFSET, y: OFFSET } });
    ids = inserted.ids;
    return inserted.workflow;
  });
  documents().select(ids);
}

/** Selects all nodes of the sheet. */
export function selectAll(): void {
  const tab = tabNow();
  if (tab) documents().select(Object.keys(sheetOf(tab.history.present, tab.sheet).nodes));
}

/** Sets a mode, or sets it back where all selected nodes have it. */
export function toggleMode(mode: Mode): void {
  const [tab, ids] = [tabNow(), selectedNodes()];
  if (!tab || ids.length === 0) return;
  const { nodes } = sheetOf(tab.history.present, tab.sheet);
  const all = ids.every((id) => nodes[id]?.mode === mode);
  const next = all ? "run" : mode;
  documents().editSheet(t.modes[next], (sheet) => setMode(sheet, ids, next));
  useUi.getState().announce(t.modes[next]);
}

/** Collapses the selected nodes, or opens them where all are collapsed. */
export function toggleCollapsed(): void {
  const [tab, ids] = [tabNow(), selectedNodes()];
  if (!tab || ids.length === 0) return;
  const { nodes } = sheetOf(tab.history.present, tab.sheet);
  const collapsed = !ids.every((id) => nodes[id]?.collapsed);
  documents().editSheet(t.edits.collapse, (sheet) => setCollapsed(sheet, ids, collapsed));
}

/** Puts the nodes in order from left to right: the selected ones, or all. */
export function arrange(sizes: ReadonlyMap<string, Size>): void {
  const [tab, ids] = [tabNow(), selectedNodes()];
  if (!tab) return;
  const only = ids.length > 1 ? new Set(ids) : undefined;
  documents().edit(t.edits.arrange, (workflow) =>
    onSheet(workflow, tab.sheet, (sheet) => layout(workflow, sheet, catalogNow(), { only, sizes })),
  );
}

const PADDING = 20;
const TITLE = 36;

/** A group around the selected nodes. */
export function group(sizes: ReadonlyMap<string, Size>): void {
  const [tab, ids] = [tabNow(), selectedNodes()];
  if (!tab || ids.length === 0) return;
  documents().editSheet(t.edits.group, (sheet) => {
    const boxes = ids.flatMap((id) => {
      const node = sheet.nodes[id];
      const size = sizes.get(id) ?? { width: 260, height: 100 };
      return node ? [{ x: node.x, y: node.y, ...size }] : [];
    });
    const x = Math.min(...boxes.map((box) => box.x)) - PADDING;
    const y = Math.min(...boxes.map((box) => box.y)) - PADDING - TITLE;
    const right = Math.max(...boxes.map((box) => box.x + box.width)) + PADDING;
    const bottom = Math.max(...boxes.map((box) => box.y + box.height)) + PADDING;
    return addGroup(sheet, { title: t.group, x, y, width: right - x, height: bottom - y });
  });
}

/** Folds the selected nodes into a subgraph. */
export function foldSelected(): void {
  const [tab, ids] = [tabNow(), selectedNodes()];
  if (!tab || ids.length === 0) return;
  let host = "";
  documents().edit(t.edits.fold, (workflow) => {
    const folded = fold(workflow, tab.sheet, new Set(ids), catalogNow(), t.subgraph.name);
    host = folded.host;
    return folded.workflow;
  });
  documents().select([host]);
}

/** Unfolds the selected subgraphs. */
export function unfoldSelected(): void {
  const tab = tabNow();
  if (!tab) return;
  const all: string[] = [];
  documents().edit(t.edits.unfold, (workflow) =>
    selectedNodes().reduce((now, id) => {
      const unfolded = unfoldNode(now, tab.sheet, id);
      all.push(...unfolded.ids);
      return unfolded.workflow;
    }, workflow),
  );
  if (all.length > 0) documents().select(all);
}

/** Puts one side of the selected nodes on one line. */
export function alignSelected(side: Side, sizes: ReadonlyMap<string, Size>): void {
  const ids = selectedNodes();
  documents().editSheet(t.edits.align, (sheet) => align(sheet, ids, sizes, side));
}

/** Copies the selected nodes where no event of the keyboard asked for it. */
export async function copySelected(): Promise<void> {
  const text = copied();
  if (text !== null) await navigator.clipboard.writeText(text);
}
