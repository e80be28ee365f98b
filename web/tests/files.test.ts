import fc from "fast-check";
import { describe, expect, inject, it } from "vitest";
import { openFile } from "../src/graph/files";
import { OWN_KINDS } from "../src/graph/kinds";
import { Unusable } from "../src/graph/places";
import { fromPrompt, toPrompt } from "../src/graph/prompt";
import { readCatalog } from "../src/server/object_info";
import { exif, jpeg, mov, mp4, png, pngTexts, wavComment, webm, webp } from "./media";

const catalog = new Map(OWN_KINDS.map((kind) => [kind.id, kind]));
const PROMPT = '{"1": {"class_type": "SomeNode", "inputs": {"text": "ä <b>"}}}';

const OTHER = '{"1": {"class_type": "Other", "inputs": {}}}';
const DRAWN = '{"nodes": [{"id": 1, "type": "Drawn"}], "links": []}';

/** Files by what they are, each with the graph in it. */
const CARRIERS: Record<string, Uint8Array> = {
  ...Object.fromEntries(
    Object.entries(pngTexts).map(([kind, body]) => [
      `PNG, ${kind}`,
      png(kind.slice(0, 4), body("prompt", PROMPT)),
    ]),
  ),
  JPEG: jpeg(exif(["a camera", `prompt:${PROMPT}`])),
  "JPEG of the other order": jpeg(exif([`Prompt:${PROMPT}`], "MM")),
  WebP: webp(exif([`prompt:${PROMPT}`, "short"])),
  "WAV with a comment": wavComment(PROMPT),
  MP4: mp4({ title: "cat", prompt: PROMPT }),
  "MP4 with a comment": mov(JSON.stringify({ prompt: PROMPT, made: "elsewhere" })),
  WebM: webm({ prompt: PROMPT, title: "cat" }),
  "WebM written live": webm({ prompt: PROMPT }, true),
};

describe("a file that was made of a graph", () => {
  it.each(Object.keys(CARRIERS))("gives it up: %s", async (kind) => {
    const workflow = await openFile(CARRIERS[kind] as Uint8Array, "a file", catalog);
    expect(workflow.root.nodes["1"]).toMatchObject({ type: "SomeNode", values: { text: "ä <b>" } });
  });

  it.each(Object.keys(CARRIERS))("does no harm in whatever way it is broken: %s", async (kind) => {
    const whole = CARRIERS[kind] as Uint8Array;
    const harm = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(harm, { maxLength: 4 }), fc.nat(whole.length), async (all, end) => {
        const broken = whole.slice();
        for (const [at, byte] of all) broken[at] = byte;
        for (const data of [broken, whole.slice(0, end)]) {
          const opened = openFile(data, "a file", catalog).catch((error: unknown) => error);
          const found = await opened;
          if (found instanceof Error) expect(found).toBeInstanceOf(Unusable);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("prefers what was drawn to what was run", async () => {
    const file = mp4({ prompt: PROMPT, workflow: DRAWN });
    expect((await openFile(file, "a file", catalog)).root.nodes["1"]).toMatchObject({
      type: "Drawn",
    });
  });

  it("is opened by its other text where one is broken", async () => {
    const file = mp4({ prompt: OTHER, workflow: '{"nodes": [' });
    expect((await openFile(file, "a file", catalog)).root.nodes["1"]).toMatchObject({
      type: "Other",
    });
  });

  it("may hold numbers that are none, as Python writes them", async () => {
    const text = '{"1": {"class_type": "A", "inputs": {"x": [NaN, -Infinity], "say": "NaN, x"}}}';
    const { root } = await openFile(new TextEncoder().encode(text), "a file", catalog);
    expect(root.nodes["1"]?.values).toMatchObject({ x: [null, null], say: "NaN, x" });
  });

  it.each([
    ["a picture", png("IDAT", Buffer.alloc(4))],
    ["a photograph", jpeg(exif(["a camera"]))],
    ["a film", mp4({ title: "cat" })],
    ["a song", new Uint8Array([0xff, 0xfb, 0x90, 0x64])],
  ])("is refused by name where it carries none: %s", async (_, file) => {
    await expect(openFile(file, "cat", catalog)).rejects.toThrow("cat carries no graph");
  });
});

describe("a file of the service", () => {
  const service = inject("service");
  const sound = ["EmptyAudio", "audio", { duration: 0.2 }] as const;
  const pictures = ["EmptyImage", "images", { width: 16, height: 16, batch_size: 2 }] as const;

  it.each([
    ["SaveAudio", sound, {}],
    ["SaveAudioMP3", sound, {}],
    ["SaveAudioOpus", sound, {}],
    ["SaveAudioWAV", sound, {}],
    ["SaveImage", pictures, {}],
    ["SaveAnimatedPNG", pictures, {}],
    ["SaveAnimatedWEBP", pictures, {}],
    ["SaveImageAdvanced", pictures, { format: "png", "format.bit_depth": "16-bit" }],
    ["SaveImageAdvanced", pictures, { format: "exr" }],
    ["SaveImageAdvanced", pictures, { format: "avif", "format.save_mode": "still images" }],
  ] as const)("of %s opens its graph", async (save, [source, input, inputs], more) => {
    const prompt = {
      "1": { class_type: source, inputs: { ...inputs } },
      "2": { class_type: save, inputs: { [input]: ["1", 0], filename_prefix: "ü", ...more } },
    };
    const known = readCatalog(await (await fetch(`${service}/object_info`)).json()).catalog;
    // What is missing here gets its default.
    const whole = toPrompt(fromPrompt(prompt, known), known);
    const workflow = await openFile(await made(service, whole, "2"), "a file", known);
    expect(workflow.root.nodes["2"]).toMatchObject({
      type: save,
      values: { filename_prefix: "ü" },
    });
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
      outputs?: Record<string, Record<string, Record<string, string>[]>>;
    };
    const file = (job.outputs?.[node]?.audio ?? job.outputs?.[node]?.images)?.[0];
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
