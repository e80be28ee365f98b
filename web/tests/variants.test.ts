import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, inject, it } from "vitest";
import { toPrompt } from "../src/graph/prompt";
import { fromEditor } from "../src/graph/read_editor";
import { chosen, numbers, withChoices } from "../src/graph/variants";
import { readCatalog } from "../src/server/object_info";

interface Case {
  text: string;
  seed: string;
  node: string;
  input: string;
  chosen: string;
}

const DATA = resolve(import.meta.dirname, "../../tests/graph/data/dynamic_prompts.json");
const CASES: Case[] = JSON.parse(readFileSync(DATA, "utf-8"));
const service = inject("service");
const { catalog } = readCatalog(await (await fetch(`${service}/object_info`)).json());

describe("a text with choices", () => {
  it.each(CASES)("$text with $seed is what the service makes of it", (one) => {
    const draw = numbers(BigInt(one.seed), one.node, one.input);
    expect(chosen(one.text, draw)).toBe(one.chosen);
  });

  it("is the same one here and there, whatever it is", async () => {
    const text = fc.string({ unit: fc.constantFrom(...'ab{}|\\\\/*:\n "') });
    const texts = fc.array(text, { minLength: 20, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(texts, fc.maxSafeInteger().map(Math.abs), async (all, seed) => {
        const boxes = all.map((one, at) => {
          return { id: at + 2, type: "CLIPTextEncode", widgets_values: [one] };
        });
        const sampler = { id: 1, type: "RandomNoise", widgets_values: [seed, "fixed"] };
        const file = { nodes: [sampler, ...boxes], links: [] };
        const body = JSON.stringify(file);
        const answer = await fetch(`${service}/workflow/convert`, { method: "POST", body });
        const prompt = withChoices(toPrompt(fromEditor(file, catalog), catalog), catalog);
        expect(prompt).toEqual(await answer.json());
      }),
      { numRuns: 30 },
    );
  });

  it("that is JSON as a whole is left as it is", () => {
    const json = '{"say": "a // b", "or": "{x|y}"}';
    expect(chosen(json, () => 0)).toBe(json);
    expect(chosen(` [${json}, 1e5]\n`, () => 0)).toBe(` [${json}, 1e5]\n`);
    expect(chosen("{NaN|[]}", () => 0)).toBe("NaN");
  });
});
