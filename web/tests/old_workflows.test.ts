import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { writeJson } from "../src/graph/json";
import { toPrompt } from "../src/graph/prompt";
import { fromEditor } from "../src/graph/read_editor";
import { toEditor } from "../src/graph/write_editor";
import { readCatalog } from "../src/server/object_info";

interface Case {
  name: string;
  workflow: object;
  expects?: Record<string, Record<string, unknown>>;
  after?: Record<string, Record<string, string>>;
  error?: string[];
}

const DATA = resolve(import.meta.dirname, "../../tests/graph/data/old_workflows.json");
const CASES: Case[] = JSON.parse(readFileSync(DATA, "utf-8"));
const service = inject("service");
const { catalog } = readCatalog(await (await fetch(`${service}/object_info`)).json());

/** What POST /workflow/convert makes of a file. */
async function converted(file: object): Promise<unknown> {
  const body = JSON.stringify(file);
  return (await fetch(`${service}/workflow/convert`, { method: "POST", body })).json();
}

describe("a file of an earlier year", () => {
  it.each(CASES.map((one) => [one.name, one] as const))("%s", async (_name, one) => {
    if (one.error) {
      expect(() => fromEditor(one.workflow, catalog)).toThrow(one.error[0]?.replace("n", "N"));
      return;
    }
    const workflow = fromEditor(one.workflow, catalog);
    const prompt = JSON.parse(writeJson(toPrompt(workflow, catalog)));
    expect(prompt).toEqual(await converted(one.workflow));
    for (const [id, inputs] of Object.entries(one.expects ?? {})) {
      expect(prompt[id].inputs).toMatchObject(inputs);
    }
    for (const [id, after] of Object.entries(one.after ?? {})) {
      expect(workflow.root.nodes[id]?.after).toEqual(after);
    }
    const saved = toEditor(workflow, catalog);
    expect(JSON.parse(writeJson(toPrompt(fromEditor(saved, catalog), catalog)))).toEqual(prompt);
  });
});
