/** Which links are allowed, and the reason where one is not. */

import { defaults, inputsOf } from "./dynamic";
import type { Catalog, NodeKind } from "./kinds";
import { titleOf } from "./kinds";
import {
  ENTRY,
  EXIT,
  type Link,
  linkedInputs,
  type Sheet,
  type Socket,
  subgraphOf,
  type Workflow,
} from "./model";
import { fits, outputType, socketsOf } from "./sockets";

/** A link that somebody draws. */
export type Drawn = Omit<Link, "id" | "type">;

/** Why a link may not be drawn. */
export type Refusal =
  | { reason: "missing" }
  | { reason: "itself" }
  | { reason: "type"; received: string; expected: string }
  | { reason: "circle"; through: string };

/** Why a link may not be drawn; null: it may. */
export function refusal(
  workflow: Workflow,
  sheet: Sheet,
  catalog: Catalog,
  drawn: Drawn,
): Refusal | null {
  if (drawn.from === drawn.to || (drawn.from === ENTRY && drawn.to === EXIT)) {
    return { reason: "itself" };
  }
  const input = inputAt(workflow, sheet, catalog, drawn);
  const output = outputAt(workflow, sheet, catalog, drawn);
  if (!input || !output) return { reason: "missing" };
  const received = outputType(workflow, sheet, catalog, drawn.from, drawn.slot);
  if (!fits(received, input.type)) return { reason: "type", received, expected: input.type };
  const to = sheet.nodes[drawn.to];
  if (to && reaches(sheet, drawn.to, drawn.from)) {
    return { reason: "circle", through: titleOf(workflow, to, catalog) };
  }
  return null;
}

/** The empty last socket of a subgraph's end: a link makes a socket of it. */
const EMPTY: Socket = { name: "", type: "*" };

function inputAt(workflow: Workflow, sheet: Sheet, catalog: Catalog, { to, input }: Drawn) {
  if (to === EXIT) return [...(subgraphOf(workflow, sheet)?.outputs ?? []), EMPTY][Number(input)];
  const node = sheet.nodes[to];
  const inputs = node && socketsOf(workflow, node, catalog, linkedInputs(sheet, to)).inputs;
  return inputs?.find(({ name }) => name === input);
}

function outputAt(workflow: Workflow, sheet: Sheet, catalog: Catalog, { from, slot }: Drawn) {
  if (from === ENTRY) return [...(subgraphOf(workflow, sheet)?.inputs ?? []), EMPTY][slot];
  const node = sheet.nodes[from];
  return node && socketsOf(workflow, node, catalog).outputs[slot];
}

/** Whether links lead from one node to another. */
export function reaches(sheet: Sheet, from: string, to: string): boolean {
  const next = new Map<string, string[]>();
  for (const link of Object.values(sheet.links)) {
    const targets = next.get(link.from);
    if (targets) targets.push(link.to);
    else next.set(link.from, [link.to]);
  }
  const seen = new Set([from]);
  const open = [from];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node === to) return true;
    for (const target of next.get(node) ?? []) {
      if (!seen.has(target)) {
        seen.add(target);
        open.push(target);
      }
    }
  }
  return false;
}

/** One end of a link that is being drawn, the other end still in the air. */
export type Loose =
  | { side: "output"; node: string; slot: number; type: string }
  | { side: "input"; node: string; input: string; type: string };

/** The first socket of a kind that a loose link fits: an input's name or an output's number. */
export function fitting(kind: NodeKind, loose: Loose): string | number | undefined {
  if (loose.side === "input") {
    const exact = kind.outputs.findIndex(({ type }) => type === loose.type);
    const slot = exact >= 0 ? exact : kind.outputs.findIndex(({ type }) => fits(type, loose.type));
    return slot >= 0 ? slot : undefined;
  }
  const sockets = inputsOf(kind, defaults(kind)).filter((input) => fits(loose.type, input.type));
  const exact = sockets.find((input) => input.type === loose.type && !input.widget);
  return (exact ?? sockets.find((input) => !input.widget) ?? sockets[0])?.name;
}

/** The input of a node that a link dropped on its body goes into: the first free one it fits. */
export function freeInput(
  workflow: Workflow,
  sheet: Sheet,
  catalog: Catalog,
  from: { node: string; slot: number },
  to: string,
): string | undefined {
  const node = sheet.nodes[to];
  if (!node) return undefined;
  const taken = linkedInputs(sheet, to);
  const allowed = socketsOf(workflow, node, catalog, taken).inputs.filter(
    ({ name, widget }) =>
      !widget &&
      refusal(workflow, sheet, catalog, {
        from: from.node,
        slot: from.slot,
        to,
        input: name,
      }) === null,
  );
  return (allowed.find(({ name }) => !taken.has(name)) ?? allowed[0])?.name;
}
