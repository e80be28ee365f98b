import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { type Drawn, type Loose, refusal } from "../src/graph/connect";
import { possibleLinks } from "../src/graph/fitting";
import { linkedInputs } from "../src/graph/model";
import { fromEditor } from "../src/graph/read_editor";
import { outputType, socketsOf } from "../src/graph/sockets";
import { readCatalog } from "../src/server/object_info";

const answer = await fetch(`${inject("service")}/object_info`);
const { catalog } = readCatalog(await answer.json());
const file = resolve(import.meta.dirname, "../../workflows/two-pass.json");
const workflow = fromEditor(JSON.parse(readFileSync(file, "utf-8")), catalog);
const sheet = workflow.root;

const sockets = Object.values(sheet.nodes).map((node) => ({
  id: node.id,
  ...socketsOf(workflow, node, catalog, linkedInputs(sheet, node.id)),
}));
const outputs = sockets.flatMap(({ id, outputs }) => outputs.map((_, slot) => ({ id, slot })));
const inputs = sockets.flatMap(({ id, inputs }) =>
  inputs.map(({ name, type }) => ({ id, name, type })),
);
const allowed = (links: Drawn[]): Drawn[] =>
  links.filter((link) => refusal(workflow, sheet, catalog, link) === null);

describe("a link in the air", () => {
  it("may end at the inputs that would not refuse it", () => {
    for (const { id, slot } of outputs) {
      const type = outputType(workflow, sheet, catalog, id, slot);
      const loose: Loose = { side: "output", node: id, slot, type };
      const all = inputs.map((input) => ({ from: id, slot, to: input.id, input: input.name }));
      expect(possibleLinks(workflow, sheet, catalog, loose)).toEqual(allowed(all));
    }
  });

  it("may end at the outputs that would not be refused", () => {
    for (const { id, name, type } of inputs) {
      const loose: Loose = { side: "input", node: id, input: name, type };
      const all = outputs.map((output) => ({
        from: output.id,
        slot: output.slot,
        to: id,
        input: name,
      }));
      expect(possibleLinks(workflow, sheet, catalog, loose)).toEqual(allowed(all));
    }
  });
});
