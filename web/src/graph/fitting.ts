/** Where a link that is being drawn may end. */

import type { Drawn, Loose } from "./connect";
import { downstream, upstream } from "./downstream";
import type { Catalog } from "./kinds";
import { ENTRY, EXIT, linkedInputs, type Sheet, subgraphOf, type Workflow } from "./model";
import { fits, outputType, socketsOf } from "./sockets";

/** The links that a loose end can become: those that `refusal` allows. Asked once for the whole
 * sheet, so circles are looked for once and not at every socket. */
export function possibleLinks(
  workflow: Workflow,
  sheet: Sheet,
  catalog: Catalog,
  loose: Loose,
): Drawn[] {
  return loose.side === "output"
    ? intoInputs(workflow, sheet, catalog, loose)
    : fromOutputs(workflow, sheet, catalog, loose);
}

function intoInputs(
  workflow: Workflow,
  sheet: Sheet,
  catalog: Catalog,
  { node: from, slot, type }: Loose & { side: "output" },
): Drawn[] {
  const circle = new Set([from, ...upstream(sheet, from)]);
  const found = Object.values(sheet.nodes)
    .filter(({ id }) => !circle.has(id))
    .flatMap((node) =>
      socketsOf(workflow, node, catalog, linkedInputs(sheet, node.id))
        .inputs.filter((input) => fits(type, input.type))
        .map(({ name }) => ({ from, slot, to: node.id, input: name })),
    );
  const outputs = subgraphOf(workflow, sheet)?.outputs;
  if (!outputs || from === ENTRY) return found;
  const ends = [...outputs, { type: "*" }].flatMap((output, at) =>
    fits(type, output.type) ? [{ from, slot, to: EXIT, input: String(at) }] : [],
  );
  return [...found, ...ends];
}

function fromOutputs(
  workflow: Workflow,
  sheet: Sheet,
  catalog: Catalog,
  { node: to, input, type }: Loose & { side: "input" },
): Drawn[] {
  const circle = new Set([to, ...downstream(sheet, to)]);
  const found = Object.values(sheet.nodes)
    .filter(({ id }) => !circle.has(id))
    .flatMap((node) =>
      socketsOf(workflow, node, catalog)
        .outputs.map((_output, slot) => ({ from: node.id, slot, to, input }))
        .filter(({ slot }) => fits(outputType(workflow, sheet, catalog, node.id, slot), type)),
    );
  const inputs = subgraphOf(workflow, sheet)?.inputs;
  if (!inputs || to === EXIT) return found;
  const ends = [...inputs, { type: "*" }].flatMap((entry, slot) =>
    fits(entry.type, type) ? [{ from: ENTRY, slot, to, input }] : [],
  );
  return [...found, ...ends];
}
