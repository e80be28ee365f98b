import fc from "fast-check";
import { describe, expect, inject, it } from "vitest";
import { openText } from "../src/graph/files";
import { readJson, writeJson } from "../src/graph/json";
import { type Limits, limited, shown, stepped, typed } from "../src/graph/numbers";
import { problems } from "../src/graph/problems";
import { toPrompt } from "../src/graph/prompt";
import { toEditor } from "../src/graph/write_editor";
import { readCatalog } from "../src/server/object_info";

const LARGEST = 2n ** 64n - 1n;
const SEED: Limits = { whole: true, min: 0, max: LARGEST, step: 1 };
const CFG: Limits = { whole: false, min: 0, max: 100, step: 0.1 };

const service = inject("service");
const ask = async (path: string, body?: unknown): Promise<unknown> => {
  const init = body === undefined ? {} : { method: "POST", body: writeJson(body) };
  const answer = await fetch(`${service}/${path}`, init);
  return readJson(await answer.text());
};

describe("JSON", () => {
  it("comes back as it was written", () => {
    const number = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.bigInt());
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        number,
        fc.string(),
        fc.constant(null),
        fc.boolean(),
        fc.array(tie("value")),
        fc.dictionary(fc.string(), tie("value"), { noNullPrototype: true }),
      ),
    }));
    fc.assert(
      fc.property(value, (given) => {
        const text = writeJson(given);
        expect(writeJson(readJson(text))).toBe(text);
      }),
    );
  });

  it("has the digits of a number that a double cannot hold", () => {
    expect(readJson('{"seed": 18446744073709551615, "x": 1.5}')).toEqual({ seed: LARGEST, x: 1.5 });
    expect(readJson("[9007199254740991, 9007199254740993]")).toEqual([
      9007199254740991,
      9007199254740993n,
    ]);
    expect(readJson('"12345678901234567890"')).toBe("12345678901234567890");
  });

  it("of two members of one name has the last, as browsers do", () => {
    expect(readJson('{"a": 1, "a": 12345678901234567890}')).toEqual({ a: 12345678901234567890n });
  });
});

describe("a number", () => {
  it("keeps its digits when it is stepped and typed", () => {
    expect(stepped(LARGEST - 1n, 1, "usual", SEED)).toBe(LARGEST);
    expect(stepped(LARGEST, 1, "usual", SEED)).toBe(LARGEST);
    expect(stepped(2 ** 53 - 1, 1, "coarse", SEED)).toBe(2n ** 53n + 9n);
    expect(stepped(2n ** 53n, -1, "usual", SEED)).toBe(2 ** 53 - 1);
    expect(typed("12345678901234567891", SEED)).toBe(12345678901234567891n);
    expect(typed("99999999999999999999", SEED)).toBe(LARGEST);
    expect(typed("many", SEED)).toBeUndefined();
  });

  it("is free of the noise of binary fractions, at each pace", () => {
    expect(stepped(0.2, 1, "usual", CFG)).toBe(0.3);
    expect(stepped(0.2, 1, "coarse", CFG)).toBe(1.2);
    expect(stepped(0.2, 1, "fine", CFG)).toBe(0.21);
    expect(stepped(512, 1, "fine", { whole: true, min: 16, max: 8192, step: 8 })).toBe(513);
    expect(typed("1,5", CFG)).toBe(1.5);
    expect(limited(-3, CFG)).toBe(0);
  });
});

describe("a number that is shown", () => {
  it("has the decimals of its step, or all that it needs", () => {
    expect([8, 7.25, 0.1].map((value) => shown(value, CFG))).toEqual(["8.0", "7.25", "0.1"]);
    expect(shown(LARGEST, SEED)).toBe("18446744073709551615");
  });
});

describe("a seed", () => {
  it("has the same digits in the file, in the prompt and in the service's answers", async () => {
    const { catalog } = readCatalog(await ask("object_info"));
    const widget = catalog.get("KSampler")?.inputs.find(({ name }) => name === "seed")?.widget;
    expect(widget).toMatchObject({ max: LARGEST });
    const text = `{"5": {"class_type": "KSampler", "inputs": {"seed": ${LARGEST - 7n}}}}`;
    const workflow = openText(text, "seed.json", catalog);
    expect([...problems(workflow, workflow.root, catalog).values()].flat()).not.toContainEqual(
      expect.objectContaining({ kind: "range" }),
    );
    const again = openText(writeJson(toEditor(workflow, catalog)), "again.json", catalog);
    expect(toPrompt(again, catalog)["5"]?.inputs.seed).toBe(LARGEST - 7n);
    expect(await ask("workflow/convert", toEditor(workflow, catalog))).toEqual(
      toPrompt(workflow, catalog),
    );
    const noise = { class_type: "PrimitiveInt", inputs: { value: LARGEST >> 1n } };
    const shown = { class_type: "PreviewAny", inputs: { source: ["1", 0] } };
    const { prompt_id: id } = (await ask("prompt", { prompt: { 1: noise, 2: shown } })) as {
      prompt_id: string;
    };
    const job = (await ask(`jobs/${id}`)) as { workflow: { prompt: Record<string, typeof noise> } };
    expect(job.workflow.prompt[1]?.inputs.value).toBe(LARGEST >> 1n);
  });
});
