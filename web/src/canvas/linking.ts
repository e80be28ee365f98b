/** What is done with a link on the canvas: drawn, drawn anew, bent, cut, or let go somewhere. */

import type { Connection, Edge, FinalConnectionState } from "@xyflow/react";
import { type Drawn, freeInput, type Loose, refusal } from "../graph/connect";
import { disconnect, linkKey, reroute } from "../graph/edits";
import { link } from "../graph/ends";
import {
  ENTRY,
  EXIT,
  linkedInputs,
  onSheet,
  type Point,
  type Sheet,
  sheetOf,
  subgraphOf,
} from "../graph/model";
import { outputType, socketsOf } from "../graph/sockets";
import { catalogNow } from "../stores/catalog";
import { type Tab, tabNow, useDocuments } from "../stores/documents";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { refused } from "../strings/refused";
import { drawn, inputOf, slotOf } from "./keys";

/** A socket that the hand took, or came to. */
type Handle = NonNullable<FinalConnectionState["fromHandle"]>;

/** The link between two sockets, whichever of them the hand took first. */
export function between(one: Handle, other: Handle): Drawn | undefined {
  const [out, into] = one.type === "source" ? [one, other] : [other, one];
  return drawn({
    source: out.nodeId,
    sourceHandle: out.id,
    target: into.nodeId,
    targetHandle: into.id,
  });
}

/** Why a link may not be drawn; null: it may. */
export function whyNot(link: Drawn): string | null {
  const tab = tabNow();
  const why = tab && refusal(tab.history.present, sheetNow(tab), catalogNow(), link);
  return why ? refused(why) : null;
}

/** Whether a socket takes the link that is drawn. */
export function isAllowed(connection: Connection | Edge): boolean {
  const link = drawn(connection);
  return link !== undefined && whyNot(link) === null;
}

/** Makes the link that was drawn. */
export function draw(connection: Connection): void {
  const [tab, made] = [tabNow(), drawn(connection)];
  if (tab && made) join(tab, made);
}

function join(tab: Tab, drawn: Drawn): void {
  useDocuments
    .getState()
    .edit(t.edits.connect, (workflow) => link(workflow, tab.sheet, catalogNow(), drawn));
}

/** The middle of a bend, from its corner. */
const BEND: Point = { x: 20, y: 13 };

const idOf = (edge: Edge): string => edge.id.slice(linkKey("").length);

/** Takes a link away. */
export function cut(edge: Edge): void {
  useDocuments.getState().editSheet(t.edits.disconnect, (sheet) => disconnect(sheet, idOf(edge)));
}

/** Moves an end of a link to another socket. */
export function redraw(edge: Edge, connection: Connection): void {
  const [tab, redrawn] = [tabNow(), drawn(connection)];
  if (!tab || !redrawn) return;
  useDocuments.getState().edit(t.edits.connect, (workflow) => {
    const without = onSheet(workflow, tab.sheet, (sheet) => disconnect(sheet, idOf(edge)));
    return link(without, tab.sheet, catalogNow(), redrawn);
  });
}

/** Puts a bend into a link. */
export function bend(edge: Edge, { x, y }: Point): void {
  const tab = tabNow();
  if (!tab) return;
  const at = { x: x - BEND.x, y: y - BEND.y };
  const used = tab.history.present.lastNode;
  useDocuments
    .getState()
    .editSheet(t.edits.reroute, (sheet) => reroute(sheet, idOf(edge), at, catalogNow(), used));
}

/** A link let go where no socket takes it: on a node, into the void, or where it is refused. */
export function dropped(
  at: Point,
  state: FinalConnectionState,
  search: (at: Point, loose: Loose, from: Point | null) => void,
): void {
  const tab = tabNow();
  const { fromHandle, toHandle } = state;
  if (!tab || !fromHandle) return;
  const loose = looseEnd(tab, fromHandle);
  if (!loose) return;
  if (toHandle) {
    const link = between(fromHandle, toHandle);
    const why = link && whyNot(link);
    if (why) useUi.getState().say(why, "error");
    return;
  }
  const under = document.elementFromPoint(at.x, at.y);
  const target = under?.closest<HTMLElement>(".react-flow__node")?.dataset.id;
  if (target === undefined || target.startsWith("group:")) search(at, loose, state.from);
  else if (loose.side === "output") dropOn(tab, loose, target);
  else if (target === ENTRY) {
    const slot = subgraphOf(tab.history.present, sheetNow(tab))?.inputs.length ?? 0;
    join(tab, { from: ENTRY, slot, to: loose.node, input: loose.input });
  }
}

/** The end of a link that leads nowhere yet. */
export function looseEnd(
  tab: Tab,
  { nodeId: node, id }: Pick<Handle, "nodeId" | "id">,
): Loose | undefined {
  const workflow = tab.history.present;
  const [sheet, catalog, key] = [sheetNow(tab), catalogNow(), id ?? ""];
  if (key.startsWith("out:")) {
    const slot = slotOf(key);
    return { side: "output", node, slot, type: outputType(workflow, sheet, catalog, node, slot) };
  }
  const own = sheet.nodes[node];
  const input = inputOf(key);
  const sockets = own ? socketsOf(workflow, own, catalog, linkedInputs(sheet, node)).inputs : [];
  const socket = sockets.find(({ name }) => name === input);
  return socket && { side: "input", node, input, type: socket.type };
}

function dropOn(tab: Tab, loose: Loose & { side: "output" }, target: string): void {
  if (target === loose.node) return;
  const workflow = tab.history.present;
  const sheet = sheetNow(tab);
  const input =
    target === EXIT
      ? String(subgraphOf(workflow, sheet)?.outputs.length ?? 0)
      : freeInput(workflow, sheet, catalogNow(), loose, target);
  if (input === undefined) {
    useUi.getState().say(t.refused.noInput(loose.type), "error");
    return;
  }
  join(tab, { from: loose.node, slot: loose.slot, to: target, input });
}

const sheetNow = (tab: Tab): Sheet => sheetOf(tab.history.present, tab.sheet);
