import { deflateSync } from "node:zlib";
import { describe, expect, inject, it } from "vitest";
import { openFile, pngTexts } from "../src/graph/files";
import { OWN_KINDS } from "../src/graph/kinds";
import { fromPrompt, toPrompt } from "../src/graph/prompt";
import { soundTexts } from "../src/graph/sound_files";
import { readCatalog } from "../src/server/object_info";

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

describe("a sound of the service", () => {
  const service = inject("service");

  it.each(["SaveAudio", "SaveAudioMP3", "SaveAudioOpus"])("of %s opens its graph", async (save) => {
    const prompt = {
      "1": { class_type: "EmptyAudio", inputs: { duration: 0.2 } },
      "2": { class_type: save, inputs: { audio: ["1", 0], filename_prefix: "ü" } },
    };
    const known = readCatalog(await (await fetch(`${service}/object_info`)).json()).catalog;
    // What is missing here gets its default.
    const whole = toPrompt(fromPrompt(prompt, known), known);
    const file = await made(service, whole, "2");
    const workflow = await openFile(file, "sound", known);
    expect(workflow.root.nodes["2"]).toMatchObject({
      type: save,
      values: { filename_prefix: "ü" },
    });
    for (let length = 0; length < Math.min(file.length, 600); length += 1) {
      soundTexts(file.slice(0, length));
    }
  });
});

/** The first file that a node of a prompt saves. */
async function made(service: string, prompt: unknown, node: string): Promise<Uint8Array> {
  const posted = await fetch(`${service}/prompt`, {
    method: "POST",
    body: JSON.stringify({ prompt }),
  });
  expect(posted.status, await posted.clone().text()).toBe(200);
  const { prompt_id: id } = (await posted.json()) as { prompt_id: string };
  for (;;) {
    const job = (await (await fetch(`${service}/api/jobs/${id}`)).json()) as {
      status: string;
      outputs?: Record<string, { audio: Record<string, string>[] }>;
    };
    const file = job.outputs?.[node]?.audio[0];
    if (file) {
      const answer = await fetch(`${service}/view?${new URLSearchParams(file)}`);
      return new Uint8Array(await answer.arrayBuffer());
    }
    expect(["pending", "in_progress"]).toContain(job.status);
    await new Promise((done) => setTimeout(done, 100));
  }
}

describe("a file that is no workflow", () => {
  it.each(["", "nonsense", "[]", "null", '{"a": 1}', '{"nodes": [{"id": 1}]}', '{"nodes": 3}'])(
    "is refused in words: %s",
    async (text) => {
      const opened = openFile(new TextEncoder().encode(text), "some.json", catalog);
      await expect(opened).rejects.toThrow(/workflow/);
    },
  );
});
