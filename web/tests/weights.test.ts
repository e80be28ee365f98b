import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, inject, it } from "vitest";
import { chosen, variants } from "../src/graph/variants";
import { pieces, weighed } from "../src/graph/weights";

const CHECKOUT = resolve(import.meta.dirname, "../..");
const SEGMENTS = `
import json, sys
from nodes.models.text.prompt_weights import segments
json.dump([[(one.text, one.weight) for one in segments(text)] for text in json.load(sys.stdin)],
          sys.stdout)
`;

type Segment = [string, number];

/** The words of a prompt, brackets of no meaning among them, joined where they weigh the same. */
function segments(prompt: string): Segment[] {
  const words = pieces(prompt).filter(({ kind }) => kind !== "mark");
  return joined(
    words.map(({ start, end, weight }) => {
      const text = prompt.slice(start, end);
      return [text.replaceAll("\\(", "(").replaceAll("\\)", ")"), weight];
    }),
  );
}

function joined(all: Segment[]): Segment[] {
  const found: Segment[] = [];
  for (const [text, weight] of all) {
    const last = found.at(-1);
    if (last?.[1] === weight) last[0] += text;
    else found.push([text, weight]);
  }
  return found;
}

/** What the service's own reader makes of some prompts. */
function byTheService(prompts: string[]): Segment[][] {
  const python = inject("python");
  const input = JSON.stringify(prompts);
  const said = spawnSync(python, ["-c", SEGMENTS], { cwd: CHECKOUT, input, encoding: "utf-8" });
  return JSON.parse(said.stdout);
}

const KNOWN = [
  "",
  "a (red:1.3) fox \\(animal\\)",
  "((very)) (strong:1.5), [not] this BREAK",
  "(a (b:0.5) c:2)",
  "(a:b:1.5) (:1.5) () (a:) (a: 1.2 ) (a:1_0) (a:1e-1) (a:.5) (a:5.) (a:inf) (a:nan) (a:1e999)",
  "lost (brackets (inside) go on",
  "closed) too often)",
  "back\\\\slashes \\ and \\(a\\:1.2) (x\\:2) (y\\)",
  "(embedding:one:1.2) and embedding:two, a",
];

describe("weights", () => {
  it("are what the service reads", () => {
    const part = fc.constantFrom(
      ..."()()[]:\\ ,",
      "word",
      "1.2",
      ":1.5)",
      "\\(",
      "\\)",
      "-0.5",
      "é😀",
      "\n",
    );
    const prompt = fc.array(part, { maxLength: 24 }).map((parts) => parts.join(""));
    const prompts = [...KNOWN, ...fc.sample(prompt, 3000)];
    const read = byTheService(prompts);
    for (const [position, text] of prompts.entries()) {
      expect([text, segments(text)]).toEqual([text, joined(read[position] ?? [])]);
    }
  });

  it("leave no sign of a prompt out, and none twice", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(..."ab():1.2\\ ")), (signs) => {
        const prompt = signs.join("");
        let at = 0;
        for (const { start, end } of pieces(prompt)) {
          expect(start).toBe(at);
          at = end;
        }
        expect(at).toBe(prompt.length);
      }),
    );
  });

  const pressed = (prompt: string, start: number, end: number, step: number): string => {
    const made = weighed(prompt, { start, end }, step);
    if (!made) return prompt;
    return prompt.slice(0, made.replaced.start) + made.by + prompt.slice(made.replaced.end);
  };

  it("grow and shrink around a selection or the word at the caret", () => {
    expect(pressed("a red fox", 2, 5, 0.05)).toBe("a (red:1.05) fox");
    expect(pressed("a red fox", 3, 3, -0.05)).toBe("a (red:0.95) fox");
    expect(pressed("a (red:1.05) fox", 3, 6, 0.05)).toBe("a (red:1.1) fox");
    expect(pressed("a (red:1.05) fox", 2, 12, -0.05)).toBe("a red fox");
    expect(pressed("a (red) fox", 4, 4, 0.05)).toBe("a (red:1.15) fox");
    expect(pressed("a  red  fox", 1, 7, 0.05)).toBe("a  (red:1.05)  fox");
    expect(pressed("\\(red\\)", 4, 4, 0.05)).toBe("\\((red:1.05)\\)");
    expect(pressed("a (red fox", 1, 6, 0.05)).toBe("a (red fox");
  });
});

describe("variants", () => {
  it("become one of their options, in each other too, without comments", () => {
    const text = "a {red|{dark|light} blue} \\{fox\\} // not this\nhttp://x /* nor this */{one}";
    const rest = "{fox} \nhttp://x {one}";
    expect(chosen(text, () => 0)).toBe(`a red ${rest}`);
    expect(chosen(text, () => 0.9 * 2 ** 32)).toBe(`a light blue ${rest}`);
  });

  it("are found where they stand", () => {
    expect(variants("a {b|c} {d} {e|{f|g}} \\{h|i}")).toEqual([
      { start: 2, end: 7 },
      { start: 12, end: 21 },
    ]);
    expect(variants("{a|b")).toEqual([]);
  });
});
