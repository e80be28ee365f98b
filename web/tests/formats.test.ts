import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { beforeAll, describe, expect, inject, it } from "vitest";
import type { Catalog } from "../src/graph/kinds";
import type { JsonObject } from "../src/graph/model";
import { fromPrompt, isPrompt, toPrompt } from "../src/graph/prompt";
import { fromEditor, isEditorFile } from "../src/graph/read_editor";
import { withChoices } from "../src/graph/variants";
import { toEditor } from "../src/graph/write_editor";
import { readCatalog } from "../src/server/object_info";

const WORKFLOWS = resolve(import.meta.dirname, "../../workflows");
const service = inject("service");
const templates = inject("templates");

let catalog: Catalog;

beforeAll(async () => {
  const read = readCatalog(await (await fetch(`${service}/object_info`)).json());
  expect(read.unreadable).toEqual([]);
  catalog = read.catalog;
});

function documents(folder: string): [string, JsonObject][] {
  return readdirSync(folder, { recursive: true, encoding: "utf-8" })
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => [name, JSON.parse(readFileSync(join(folder, name), "utf-8"))]);
}

async function converted(document: JsonObject): Promise<unknown> {
  const answer = await fetch(`${service}/workflow/convert`, {
    method: "POST",
    body: JSON.stringify(document),
  });
  return answer.json();
}

describe.each(documents(WORKFLOWS))("the bundled workflow %s", (_name, document) => {
  const open = () =>
    isPrompt(document) ? fromPrompt(document, catalog) : fromEditor(document, catalog);

  it("becomes the prompt that the service makes of it", async () => {
    const workflow = open();
    const file = toEditor(workflow, catalog);
    expect(toPrompt(workflow, catalog)).toEqual(await converted(file));
    if (isPrompt(document)) expect(toPrompt(workflow, catalog)).toEqual(document);
  });

  it("is the same after saving and opening", () => {
    const file = toEditor(open(), catalog);
    const again = toEditor(fromEditor(file, catalog), catalog);
    expect({ ...again, id: 0 }).toEqual({ ...file, id: 0 });
  });
});

describe.skipIf(!templates)("the templates of ComfyUI", () => {
  const files = (): [string, JsonObject][] =>
    documents(templates).filter(([, document]) => isEditorFile(document));

  it("are the same after saving and opening", () => {
    const found = files();
    expect(found.length).toBeGreaterThan(500);
    for (const [name, document] of found) {
      const first = fromEditor(document, catalog);
      const again = fromEditor(toEditor(first, catalog), catalog);
      expect(toPrompt(again, catalog), name).toEqual(toPrompt(first, catalog));
      expect(Object.keys(again.root.nodes), name).toEqual(Object.keys(first.root.nodes));
      expect(Object.keys(again.root.links).length, name).toBe(Object.keys(first.root.links).length);
    }
  });

  it("become the prompts that the service makes of them", async () => {
    const different: unknown[] = [];
    for (const [name, document] of files()) {
      const extra = document.extra as JsonObject | undefined;
      if (extra?.groupNodes) continue;
      const ours: JsonObject = JSON.parse(
        JSON.stringify(withChoices(toPrompt(fromEditor(document, catalog), catalog), catalog)),
      );
      const theirs = (await converted(document)) as JsonObject;
      for (const id of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
        if (!isDeepStrictEqual(ours[id], theirs[id])) {
          different.push({ name, id, ours: ours[id], theirs: theirs[id] });
        }
      }
    }
    expect(different).toEqual([]);
  });
});
