import { describe, expect, it } from "vitest";
import type { GraphNode } from "../src/graph/model";
import { sourceOf } from "../src/graph/model_sources";
import { readCatalog } from "../src/server/object_info";

const kindOf = (declared: unknown) => {
  const entry = { input: { required: { x: declared } }, output: [] };
  return readCatalog({ One: entry }).catalog.get("One")?.inputs[0];
};

describe("an input", () => {
  it("of a type of its own has the widget that it asks for", () => {
    const own = ["PALETTE", { widgetType: "COMBO", options: ["a", "b"], default: "b" }];
    expect(kindOf(own)).toMatchObject({
      type: "PALETTE",
      default: "b",
      widget: { kind: "choice", options: ["a", "b"] },
    });
    expect(kindOf(["WORDS", { widgetType: "STRING", multiline: true }])?.widget).toMatchObject({
      kind: "text",
      multiline: true,
    });
    expect(kindOf(["PALETTE", { widgetType: "HOLOGRAM" }])?.widget).toBeUndefined();
    expect(kindOf(["INT", { widgetType: "HOLOGRAM" }])?.widget).toMatchObject({ kind: "number" });
  });

  it("with models says in which folder they are", () => {
    expect(kindOf([["a"], { model_folder: "loras" }])?.widget).toMatchObject({ models: "loras" });
  });
});

describe("the kinds of nodes", () => {
  const good = { input: { required: { x: ["INT", {}] } }, output: ["IMAGE"], display_name: "Good" };

  it("are read where others cannot be understood", () => {
    const bad: Record<string, unknown> = {
      nothing: null,
      text: "node",
      noInputs: { output: [] },
      listOfInputs: { input: { required: [["x", "INT"]] } },
      order: { ...good, input_order: { required: [1] } },
      output: { ...good, output: [5] },
      outputs: { ...good, output: "IMAGE" },
      title: { ...good, display_name: 7 },
      unlisted: { ...good, input_unlisted: "x" },
    };
    const { catalog, unreadable } = readCatalog({ ...bad, good });
    expect(unreadable).toEqual(Object.keys(bad));
    expect(catalog.get("good")).toMatchObject({ title: "Good", outputs: [{ type: "IMAGE" }] });
    expect(() => readCatalog([])).toThrow("does not say which nodes it has");
  });

  it("have nothing of what is said wrongly beside it", () => {
    const entry = {
      ...good,
      output_name: [1],
      output_tooltips: ["seen", 2],
      description: 5,
      category: {},
      output_node: "yes",
      search_aliases: "good",
    };
    expect(readCatalog({ entry }).catalog.get("entry")).toMatchObject({
      description: "",
      category: "",
      shows: false,
      aliases: [],
      outputs: [{ name: "IMAGE", type: "IMAGE", tooltip: "seen" }],
    });
    expect(kindOf(["INT", { min: "0", max: 2n ** 70n, step: -1, tooltip: 3 }])).toMatchObject({
      tooltip: undefined,
      widget: { min: Number.NEGATIVE_INFINITY, max: 2n ** 70n, step: 1 },
    });
    expect(kindOf([{}, {}])).toMatchObject({ type: "*" });
    expect(kindOf("INT")).toMatchObject({ type: "*" });
  });
});

describe("a graph", () => {
  const node = (models: unknown): GraphNode => ({
    ...{ id: "1", type: "One", x: 0, y: 0, mode: "run", collapsed: false, values: {}, after: {} },
    kept: { properties: { models: models as [] } },
  });
  const url = "https://example.org/a.safetensors";

  it("says where a model comes from, and its hash", () => {
    const hash = "ab".repeat(32);
    expect(sourceOf(node([{ name: "a", url, hash }]).kept?.properties, "a")).toEqual({
      url,
      sha256: hash,
    });
    expect(sourceOf(node([{ name: "a", url, hash: "short" }]).kept?.properties, "a")).toEqual({
      url,
    });
    expect(sourceOf(node([{ name: "a", url }]).kept?.properties, "b")).toBeUndefined();
  });

  it("that says something else of its models says nothing", () => {
    const wrong = [
      undefined,
      5,
      "x",
      [null],
      [{ name: "a" }],
      [{ name: "a", url: "javascript:1" }],
    ];
    for (const models of wrong)
      expect(sourceOf(node(models).kept?.properties, "a")).toBeUndefined();
  });
});
