import fc from "fast-check";
import { describe, expect, inject, it } from "vitest";
import { differences, recipeOf } from "../src/graph/recipe";
import { readCatalog } from "../src/server/object_info";
import { peaksOf } from "../src/widgets/peaks";

const answer = await fetch(`${inject("service")}/object_info`);
const { catalog } = readCatalog(await answer.json());

const PROMPT = {
  "1": { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: "demo" } },
  "2": {
    class_type: "CLIPTextEncode",
    inputs: { text: "red apple", clip: ["1", 1] },
    _meta: { title: "What to draw" },
  },
  "3": { class_type: "CLIPTextEncode", inputs: { text: " ", clip: ["1", 1] } },
  "4": { class_type: "LoadImage", inputs: { image: "cat.png" } },
  "5": {
    class_type: "KSampler",
    inputs: {
      model: ["1", 0],
      positive: ["2", 0],
      negative: ["3", 0],
      latent_image: ["4", 0],
      seed: 2n ** 60n,
    },
  },
  "6": { class_type: "SaveImage", inputs: { images: ["5", 0], filename_prefix: "x" } },
  "7": { class_type: "KokoroSpeak", inputs: { text: "not of this picture" } },
};

describe("what a result was made of", () => {
  it("is told by the nodes that lead to it, the telling values first", () => {
    const recipe = recipeOf(PROMPT, "6", catalog);
    expect(recipe?.texts).toEqual([{ title: "What to draw", input: "text", text: "red apple" }]);
    expect(recipe?.seeds.map(({ text }) => text)).toEqual([String(2n ** 60n)]);
    expect(recipe?.models.map(({ text }) => text)).toEqual(["demo"]);
    expect(recipe?.files).toEqual([{ name: "cat.png", kind: "image" }]);
    expect(recipe?.nodes.map(({ id }) => id)).toEqual(["6", "5", "1", "2", "3", "4"]);
  });

  it("is told by the outer node of one that came by expansion, and by all where none is known", () => {
    expect(recipeOf(PROMPT, "6:2:1", catalog)?.nodes).toHaveLength(6);
    expect(recipeOf(PROMPT, "gone", catalog)?.nodes).toHaveLength(7);
  });

  it("differs in the seed, the text, the model, and in what only one went through", () => {
    const other = {
      ...PROMPT,
      "1": { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: "large" } },
      "2": { ...PROMPT["2"], inputs: { text: "green apple", clip: ["1", 1] } },
      "5": { ...PROMPT["5"], inputs: { ...PROMPT["5"].inputs, seed: 5, cfg: 4 } },
      "6": { class_type: "SaveImage", inputs: { images: ["8", 0], filename_prefix: "x" } },
      "8": { class_type: "ImageInvert", inputs: { image: ["5", 0] } },
    };
    const [one, two] = [PROMPT, other].map((prompt) => recipeOf(prompt, "6", catalog));
    if (!one || !two) throw new Error("no recipe");
    const value = (title: string, input: string, left?: string, right?: string) => ({
      ...{ kind: "value", title, input, left, right },
    });
    expect(differences(one, two)).toEqual([
      value("KSampler", "seed", String(2n ** 60n), "5"),
      value("KSampler", "cfg", undefined, "4"),
      value("Load Checkpoint", "ckpt_name", "demo", "large"),
      value("What to draw", "text", "red apple", "green apple"),
      { kind: "right", title: "Invert Image" },
    ]);
    expect(differences(two, one).at(-1)).toEqual({ kind: "left", title: "Invert Image" });
    expect(differences(one, one)).toEqual([]);
  });

  it("is found in any prompt without harm", () => {
    const value = fc.oneof(fc.jsonValue(), fc.tuple(fc.constantFrom("1", "2", "x"), fc.nat(3)));
    const node = fc.record(
      {
        class_type: fc.constantFrom("KSampler", "SaveImage", "Nobody"),
        inputs: fc.oneof(fc.dictionary(fc.constantFrom("seed", "text", "images"), value), value),
        _meta: fc.jsonValue(),
      },
      { requiredKeys: ["class_type"] },
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom("1", "2", "3"), node), (prompt) => {
        const recipe = recipeOf(prompt, "1", catalog);
        expect(recipe?.nodes.length ?? 0).toBeLessThanOrEqual(Object.keys(prompt).length);
      }),
    );
    expect(recipeOf([], "1", catalog)).toBeUndefined();
  });
});

describe("the peaks of a sound", () => {
  it("are the loudest of each part, as many as asked for", () => {
    const samples = Float32Array.from([0, -0.5, 0.25, 0, 0, 1]);
    expect(peaksOf(samples, 3)).toEqual([0.5, 0.25, 1]);
    expect(peaksOf(samples, 12)).toHaveLength(12);
    expect(peaksOf(new Float32Array(0), 4)).toEqual([0, 0, 0, 0]);
  });
});
