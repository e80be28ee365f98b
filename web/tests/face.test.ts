import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { type Face, faceOf } from "../src/canvas/face";
import { change, setCollapsed, setValue } from "../src/graph/edits";
import type { Sheet } from "../src/graph/model";
import { fromEditor } from "../src/graph/read_editor";
import { readCatalog } from "../src/server/object_info";

const answer = await fetch(`${inject("service")}/object_info`);
const { catalog } = readCatalog(await answer.json());
const file = resolve(import.meta.dirname, "../../workflows/picture.json");
const workflow = fromEditor(JSON.parse(readFileSync(file, "utf-8")), catalog);
const size = { width: 260, height: 400 };

const of = (type: string) => Object.values(workflow.root.nodes).find((node) => node.type === type);
const sampler = of("KSampler")?.id ?? "";

function face(sheet: Sheet, id = sampler, middles = new Map<string, number>()): Face {
  const node = sheet.nodes[id];
  if (!node) throw new Error(`picture.json has no node ${id}`);
  return faceOf({ ...workflow, root: sheet }, sheet, node, catalog, size, middles);
}

describe("a face", () => {
  it("has what the node's widgets show, one below the other", () => {
    const { rows, dots } = face(setValue(workflow.root, sampler, "cfg", 7));
    const shown = Object.fromEntries(rows.map(({ label, value }) => [label, value]));
    expect(shown).toMatchObject({ cfg: "7.0", denoise: "1.00" });
    expect(rows.map(({ label }) => label)).toContain("sampler_name");
    expect(dots.map(({ words }) => words)).toEqual(
      expect.arrayContaining(["LATENT", "model", "positive", "negative", "latent_image"]),
    );
    for (const [at, row] of rows.entries()) {
      const above = rows[at - 1];
      expect(row.top).toBeGreaterThan(above ? above.top + above.height : 0);
    }
  });

  it("has a text as tall as it was measured", () => {
    const id = of("CLIPTextEncode")?.id ?? "";
    const [usual] = face(workflow.root, id).rows;
    const middle = (usual?.top ?? 0) + 70;
    const [tall] = face(workflow.root, id, new Map([["text", middle]])).rows;
    expect(tall).toMatchObject({ label: "text", tall: true, top: usual?.top, height: 140 });
  });

  it("has a title alone where the node is collapsed", () => {
    const named = change(workflow.root, sampler, { title: "Draw <b>" });
    const { title, rows, dots } = face(setCollapsed(named, [sampler], true));
    expect({ title, rows, dots }).toEqual({ title: "Draw <b>", rows: [], dots: [] });
  });
});
