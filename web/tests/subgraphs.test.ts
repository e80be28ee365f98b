import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, inject, it } from "vitest";
import { ROOT, type Workflow } from "../src/graph/model";
import { type Prompt, toPrompt } from "../src/graph/prompt";
import { fromEditor } from "../src/graph/read_editor";
import { fold, unfoldNode } from "../src/graph/subgraphs";
import { toEditor } from "../src/graph/write_editor";
import { readCatalog } from "../src/server/object_info";

const service = inject("service");
const { catalog } = readCatalog(await (await fetch(`${service}/object_info`)).json());
const HELLO = resolve(import.meta.dirname, "../../workflows/hello.json");
const hello = fromEditor(JSON.parse(readFileSync(HELLO, "utf-8")), catalog);
const IDS = Object.keys(hello.root.nodes);

/** A prompt with its nodes named by their titles, which folding does not change. */
function byTitle(workflow: Workflow): unknown {
  const prompt: Prompt = toPrompt(workflow, catalog);
  const title = (id: string): string => prompt[id]?._meta.title ?? id;
  return Object.fromEntries(
    Object.values(prompt).map((node) => {
      const inputs = Object.entries(node.inputs).map(([name, value]) =>
        Array.isArray(value) ? [name, [title(String(value[0])), value[1]]] : [name, value],
      );
      return [node._meta.title, { ...node, inputs: Object.fromEntries(inputs) }];
    }),
  );
}

const folded = (workflow: Workflow, ids: readonly string[]) =>
  fold(workflow, ROOT, new Set(ids), catalog, "Part");

describe("nodes folded into a subgraph", () => {
  it("run as before, also after saving, and unfolded again", () => {
    fc.assert(
      fc.property(fc.subarray(IDS, { minLength: 1 }), (ids) => {
        const { workflow, host } = folded(hello, ids);
        expect(byTitle(workflow)).toEqual(byTitle(hello));
        const saved = JSON.parse(JSON.stringify(toEditor(workflow, catalog)));
        expect(byTitle(fromEditor(saved, catalog))).toEqual(byTitle(hello));
        const back = unfoldNode(workflow, ROOT, host);
        expect(back.ids).toHaveLength(ids.length);
        expect(byTitle(back.workflow)).toEqual(byTitle(hello));
      }),
    );
  });

  it("are sent as the service sends them", async () => {
    const { workflow } = folded(hello, ["2", "3", "5"]);
    const file = toEditor(workflow, catalog);
    const answer = await fetch(`${service}/workflow/convert`, {
      method: "POST",
      body: JSON.stringify(file),
    });
    expect(toPrompt(workflow, catalog)).toEqual(await answer.json());
  });

  it("are folded within each other", () => {
    const once = folded(hello, ["5", "6"]);
    const twice = folded(once.workflow, [once.host, "7"]);
    expect(byTitle(twice.workflow)).toEqual(byTitle(hello));
    const back = unfoldNode(twice.workflow, ROOT, twice.host);
    expect(byTitle(back.workflow)).toEqual(byTitle(hello));
  });
});
