/** A subgraph's own sockets: `ENTRY` has its inputs and `EXIT` its outputs, seen from inside. */

import { connect } from "./edits";
import type { Catalog } from "./kinds";
import {
  ENTRY,
  EXIT,
  type Link,
  linkedInputs,
  onSheet,
  ROOT,
  type Sheet,
  type Socket,
  type Subgraph,
  sheetOf,
  subgraphOf,
  type Workflow,
} from "./model";
import { outputType, socketsOf } from "./sockets";

/** Which of a subgraph's sockets. */
export type Side = "inputs" | "outputs";

function change(workflow: Workflow, id: string, edit: (subgraph: Subgraph) => Subgraph): Workflow {
  const subgraph = workflow.subgraphs[id];
  if (!subgraph) return workflow;
  return { ...workflow, subgraphs: { ...workflow.subgraphs, [id]: edit(subgraph) } };
}

/** What a socket is called; links and saved values go by its name, which stays. */
export function relabel(
  workflow: Workflow,
  id: string,
  side: Side,
  at: number,
  label: string,
): Workflow {
  return change(workflow, id, (subgraph) => ({
    ...subgraph,
    [side]: subgraph[side].map((socket, slot) => (slot === at ? { ...socket, label } : socket)),
  }));
}

/** Puts a subgraph's sockets in the order of their former numbers; those left out go, with their
 * links in every sheet. */
export function reorder(
  workflow: Workflow,
  id: string,
  side: Side,
  order: readonly number[],
): Workflow {
  const subgraph = workflow.subgraphs[id];
  if (!subgraph) return workflow;
  const old = subgraph[side];
  const sockets = order.flatMap((slot) => old[slot] ?? []);
  const left = new Set(sockets.map(({ name }) => name));
  const inside = (link: Link): Link | null => {
    if (side === "inputs" && link.from === ENTRY)
      return at(order, link.slot, (slot) => ({ ...link, slot }));
    if (side === "outputs" && link.to === EXIT) {
      return at(order, Number(link.input), (slot) => ({ ...link, input: String(slot) }));
    }
    return link;
  };
  const gone = (input: string): boolean =>
    side === "inputs" && !left.has(input) && old.some(({ name }) => name === input);
  const outside =
    (sheet: Sheet) =>
    (link: Link): Link | null => {
      if (side === "outputs" && sheet.nodes[link.from]?.type === id) {
        return at(order, link.slot, (slot) => ({ ...link, slot }));
      }
      return sheet.nodes[link.to]?.type === id && gone(link.input) ? null : link;
    };
  const edited = change(workflow, id, (now) => ({
    ...now,
    [side]: sockets,
    sheet: relinked(now.sheet, inside),
  }));
  return [ROOT, ...Object.keys(edited.subgraphs)].reduce(
    (all, key) => onSheet(all, key, (sheet) => relinked(sheet, outside(sheet))),
    edited,
  );
}

function at(order: readonly number[], slot: number, moved: (slot: number) => Link): Link | null {
  const now = order.indexOf(slot);
  return now < 0 ? null : moved(now);
}

/** The sheet with its links edited; itself where none changed. */
function relinked(sheet: Sheet, edit: (link: Link) => Link | null): Sheet {
  const links: Sheet["links"] = {};
  let same = true;
  for (const link of Object.values(sheet.links)) {
    const edited = edit(link);
    if (edited) links[link.id] = edited;
    same &&= edited !== null && edited.slot === link.slot && edited.input === link.input;
  }
  return same ? sheet : { ...sheet, links };
}

/** Draws a link on a sheet; from or to the empty socket of a subgraph's end, that gets a socket. */
export function link(
  workflow: Workflow,
  sheetKey: string,
  catalog: Catalog,
  drawn: Omit<Link, "id" | "type">,
): Workflow {
  const grown = grow(workflow, sheetKey, catalog, drawn);
  const type = outputType(grown, sheetOf(grown, sheetKey), catalog, drawn.from, drawn.slot);
  return onSheet(grown, sheetKey, (sheet) => connect(sheet, { ...drawn, type }));
}

function grow(
  workflow: Workflow,
  sheetKey: string,
  catalog: Catalog,
  drawn: Omit<Link, "id" | "type">,
): Workflow {
  const sheet = sheetOf(workflow, sheetKey);
  const { inputs, outputs } = subgraphOf(workflow, sheet) ?? { inputs: [], outputs: [] };
  const add = (side: Side, taken: readonly Socket[], socket: Socket): Workflow =>
    change(workflow, sheetKey, (subgraph) => ({
      ...subgraph,
      [side]: [...taken, { ...socket, name: unused(socket.name, taken) }],
    }));
  if (drawn.from === ENTRY && drawn.slot === inputs.length) {
    const node = sheet.nodes[drawn.to];
    const linked = linkedInputs(sheet, drawn.to);
    const all = node ? socketsOf(workflow, node, catalog, linked).inputs : [];
    const type = all.find(({ name }) => name === drawn.input)?.type ?? "*";
    return add("inputs", inputs, { name: drawn.input || type.toLowerCase(), type });
  }
  if (drawn.to === EXIT && Number(drawn.input) === outputs.length) {
    const node = sheet.nodes[drawn.from];
    const name = node && socketsOf(workflow, node, catalog).outputs[drawn.slot]?.name;
    const type = outputType(workflow, sheet, catalog, drawn.from, drawn.slot);
    return add("outputs", outputs, { name: name || type, type });
  }
  return workflow;
}

/** A name that no socket has yet. */
export function unused(name: string, taken: readonly Socket[]): string {
  const names = new Set(taken.map((socket) => socket.name));
  for (let count = 1; ; count += 1) {
    const candidate = count === 1 ? name : `${name}_${count}`;
    if (!names.has(candidate)) return candidate;
  }
}
