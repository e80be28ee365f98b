import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { openFile, pngTexts } from "../src/graph/files";
import { OWN_KINDS } from "../src/graph/kinds";

const catalog = new Map(OWN_KINDS.map((kind) => [kind.id, kind]));
const PROMPT = '{"1": {"class_type": "SomeNode", "inputs": {"text": "ä <b>"}}}';

/** A PNG with one chunk of text; sums are left out, nobody looks at them. */
function png(type: string, body: Buffer): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const head = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return new Uint8Array(Buffer.concat([head, length, Buffer.from(type), body, Buffer.alloc(4)]));
}

const key = (name: string): Buffer => Buffer.from(`${name}\0`, "latin1");

describe("a PNG picture", () => {
  it.each([
    ["tEXt", Buffer.concat([key("prompt"), Buffer.from(PROMPT, "latin1")])],
    [
      "zTXt",
      Buffer.concat([key("prompt"), Buffer.from([0]), deflateSync(Buffer.from(PROMPT, "latin1"))]),
    ],
    ["iTXt", Buffer.concat([key("prompt"), Buffer.from([0, 0, 0, 0]), Buffer.from(PROMPT)])],
    [
      "iTXt",
      Buffer.concat([key("prompt"), Buffer.from([1, 0, 0, 0]), deflateSync(Buffer.from(PROMPT))]),
    ],
  ])("gives up the graph in its %s chunk", async (type, body) => {
    const workflow = await openFile(png(type, body), "a.png", catalog);
    expect(workflow.root.nodes["1"]).toMatchObject({ type: "SomeNode", values: { text: "ä <b>" } });
  });

  it("that carries none is refused by name", async () => {
    await expect(openFile(png("IDAT", Buffer.alloc(4)), "cat.png", catalog)).rejects.toThrow(
      "cat.png carries no graph",
    );
  });

  it("cut off anywhere does no harm", async () => {
    const whole = png("tEXt", Buffer.concat([key("prompt"), Buffer.from(PROMPT)]));
    for (let length = 0; length <= whole.length; length += 1) {
      expect((await pngTexts(whole.slice(0, length))).size).toBeLessThanOrEqual(1);
    }
  });
});

describe("a file that is no workflow", () => {
  it.each(["", "nonsense", "[]", "null", '{"a": 1}', '{"nodes": [{"id": 1}]}', '{"nodes": 3}'])(
    "is refused in words: %s",
    async (text) => {
      const opened = openFile(new TextEncoder().encode(text), "some.json", catalog);
      await expect(opened).rejects.toThrow(/workflow/);
    },
  );
});
