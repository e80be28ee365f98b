/** Random edits, as a person might make them, for tests of properties. */

import fc from "fast-check";
import { inject } from "vitest";
import { afterRun } from "../src/graph/after_run";
import { excerpt, insert } from "../src/graph/clipboard";
import { refusal } from "../src/graph/connect";
import {
  addGroup,
  addNode,
  connect,
  disconnect,
  newNode,
  place,
  remove,
  reroute,
  setCollapsed,
  setMode,
  setValue,
} from "../src/graph/edits";
import { begin, commit, type History } from "../src/graph/history";
import { layout } from "../src/graph/layout";
import {
  emptyWorkflow,
  freshId,
  onSheet,
  ROOT,
  type Sheet,
  type Workflow,
} from "../src/graph/model";
import { outputType, socketsOf } from "../src/graph/sockets";
import { readCatalog } from "../src/server/object_info";

const answer = await fetch(`${inject("service")}/object_info`);
export const { catalog } = readCatalog(await answer.json());
const kinds = [...catalog.keys()];

export type Edit = (workflow: Workflow) => Workflow;

const some = <T>(list: readonly T[], pick: number): T | undefined => list[pick % list.length];
const onRoot =
  (edit: (sheet: Sheet, workflow: Workflow) => Sheet): Edit =>
  (workflow) =>
    onSheet(workflow, ROOT, (sheet) => edit(sheet, workflow));
const pick = fc.nat(10_000);

/** Draws some link that is allowed, out of all there are. */
const link = (pickTo: number, pickFrom: number): Edit =>
  onRoot((sheet, workflow) => {
    const to = some(Object.values(sheet.nodes), pickTo);
    const from = some(Object.values(sheet.nodes), pickFrom);
    if (!to || !from) return sheet;
    const input = some(socketsOf(workflow, to, catalog).inputs, pickFrom);
    const outputs = socketsOf(workflow, from, catalog).outputs;
    if (!input || outputs.length === 0) return sheet;
    const slot = pickTo % outputs.length;
    const drawn = { from: from.id, slot, to: to.id, input: input.name };
    if (refusal(workflow, sheet, catalog, drawn)) return sheet;
    return connect(sheet, { ...drawn, type: outputType(workflow, sheet, catalog, from.id, slot) });
  });

export const edits: fc.Arbitrary<Edit> = fc.oneof(
  fc
    .tuple(pick, fc.nat(2000), fc.nat(2000))
    .map(([kind, x, y]) =>
      onRoot((sheet) =>
        addNode(sheet, newNode(freshId(sheet.nodes), some(kinds, kind) ?? "", { x, y }, catalog)),
      ),
    ),
  fc.tuple(pick, pick).map(([to, from]) => link(to, from)),
  pick.map((id) => onRoot((sheet) => disconnect(sheet, some(Object.keys(sheet.links), id) ?? ""))),
  pick.map((id) =>
    onRoot((sheet) =>
      reroute(sheet, some(Object.keys(sheet.links), id) ?? "", { x: 0, y: 0 }, catalog),
    ),
  ),
  fc
    .array(pick, { maxLength: 3 })
    .map((ids) =>
      onRoot((sheet) =>
        remove(sheet, new Set(ids.flatMap((id) => some(Object.keys(sheet.nodes), id) ?? []))),
      ),
    ),
  fc
    .tuple(pick, fc.string())
    .map(([id, text]) =>
      onRoot((sheet) => setValue(sheet, some(Object.keys(sheet.nodes), id) ?? "", "text", text)),
    ),
  fc
    .tuple(pick, fc.constantFrom("muted", "bypassed", "run" as const))
    .map(([id, mode]) =>
      onRoot((sheet) => setMode(sheet, [some(Object.keys(sheet.nodes), id) ?? ""], mode as "run")),
    ),
  fc
    .tuple(pick, fc.boolean())
    .map(([id, collapsed]) =>
      onRoot((sheet) => setCollapsed(sheet, [some(Object.keys(sheet.nodes), id) ?? ""], collapsed)),
    ),
  fc
    .tuple(pick, fc.integer(), fc.integer())
    .map(([id, x, y]) =>
      onRoot((sheet) =>
        place(sheet, new Map([[some(Object.keys(sheet.nodes), id) ?? "", { x, y }]])),
      ),
    ),
  fc.constant(onRoot((sheet) => addGroup(sheet, { title: "g", x: 0, y: 0, width: 9, height: 9 }))),
  fc.constant(onRoot((sheet, workflow) => layout(workflow, sheet, catalog))),
  fc.constant((workflow: Workflow) => afterRun(workflow, catalog, () => 0.5)),
  pick.map(
    (count): Edit =>
      (workflow) => {
        const ids = new Set(Object.keys(workflow.root.nodes).slice(0, count % 4));
        return insert(workflow, ROOT, excerpt(workflow, ROOT, ids), { by: { x: 5, y: 5 } })
          .workflow;
      },
  ),
);

/** The history of some edits, from an empty workflow on. */
export const done = (steps: readonly Edit[]): History<Workflow> =>
  steps.reduce(
    (history, edit, step) => commit(history, edit(history.present), `step ${step}`),
    begin(emptyWorkflow()),
  );
