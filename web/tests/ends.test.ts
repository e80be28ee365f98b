import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, inject, it } from "vitest";
import { refusal } from "../src/graph/connect";
import { link, relabel, reorder, type Side } from "../src/graph/ends";
import { ENTRY, EXIT, ROOT, type Workflow } from "../src/graph/model";
import { toPrompt } from "../src/graph/prompt";
import { fromEditor } from "../src/graph/read_editor";
import { fold } from "../src/graph/subgraphs";
import { toEditor } from "../src/graph/write_editor";
import { readCatalog } from "../src/server/object_info";

const service = inject("service");
const { catalog } = readCatalog(await (await fetch(`${service}/object_info`)).json());
const HELLO = resolve(import.meta.dirname, "../../workflows/hello.json");
const hello = fromEditor(JSON.parse(readFileSync(HELLO, "utf-8")), catalog);
const DRAW = "5";
const { workflow, host } = fold(hello, ROOT, new Set([DRAW]), catalog, "Part");
const [part] = Object.values(workflow.subgraphs);
const id = part?.id ?? "";
const inner = (of: Workflow) => of.subgraphs[id]?.sheet ?? of.root;
const side = fc.constantFrom<Side>("inputs", "outputs");

describe("the sockets of a subgraph", () => {
  it("run the same in any order, also after saving", () => {
    const before = toPrompt(workflow, catalog);
    fc.assert(
      fc.property(side, fc.infiniteStream(fc.nat()), (which, keys) => {
        const count = workflow.subgraphs[id]?.[which].length ?? 0;
        const order = Array.from({ length: count }, (_, slot) => ({ slot, key: keys.next().value }))
          .sort((one, other) => one.key - other.key)
          .map(({ slot }) => slot);
        const moved = reorder(workflow, id, which, order);
        expect(toPrompt(moved, catalog)).toEqual(before);
        const saved = JSON.parse(JSON.stringify(toEditor(moved, catalog)));
        expect(toPrompt(fromEditor(saved, catalog), catalog)).toEqual(before);
      }),
    );
  });

  it("keep their links under another name", () => {
    const named = relabel(workflow, id, "inputs", 0, "What draws");
    expect(named.subgraphs[id]?.inputs[0]?.label).toBe("What draws");
    expect(toPrompt(named, catalog)).toEqual(toPrompt(workflow, catalog));
  });

  it("are taken away with their links, inside and outside", () => {
    const names = part?.inputs.map(({ name }) => name) ?? [];
    const without = reorder(workflow, id, "inputs", [...names.keys()].slice(1));
    const [gone = ""] = names;
    const left = Object.values(inner(without).links).filter(({ from }) => from === ENTRY);
    expect(left.map(({ slot }) => slot).sort()).toEqual([...names.keys()].slice(0, -1));
    const into = Object.values(without.root.links).filter(({ to }) => to === host);
    expect(into.map(({ input }) => input)).not.toContain(gone);
    expect(into).toHaveLength(names.length - 1);
  });

  it("become more by a link to the empty last one", () => {
    const [inputs, outputs] = [part?.inputs.length ?? 0, part?.outputs.length ?? 0];
    const steps = { from: ENTRY, slot: inputs, to: DRAW, input: "steps" };
    expect(refusal(workflow, inner(workflow), catalog, steps)).toBeNull();
    const grown = link(workflow, id, catalog, steps);
    expect(grown.subgraphs[id]?.inputs.at(-1)).toEqual({ name: "steps", type: "INT" });
    const twice = link(grown, id, catalog, { from: DRAW, slot: 0, to: EXIT, input: `${outputs}` });
    expect(twice.subgraphs[id]?.outputs.map(({ name }) => name)).toEqual(["LATENT", "LATENT_2"]);
  });

  it("refuse what does not fit", () => {
    const model = part?.inputs.findIndex(({ type }) => type === "MODEL") ?? 0;
    const wrong = { from: ENTRY, slot: model, to: DRAW, input: "steps" };
    const why = { reason: "type", received: "MODEL", expected: "INT" };
    expect(refusal(workflow, inner(workflow), catalog, wrong)).toEqual(why);
    const past = { from: ENTRY, slot: 99, to: DRAW, input: "steps" };
    expect(refusal(workflow, inner(workflow), catalog, past)).toEqual({ reason: "missing" });
  });
});
