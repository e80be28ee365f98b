import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { aboutOf } from "../src/graph/about";
import { freeInput, refusal } from "../src/graph/connect";
import { setValue } from "../src/graph/edits";
import { formOf, showing } from "../src/graph/form";
import type { NodeKind } from "../src/graph/kinds";
import { problems } from "../src/graph/problems";
import { fromEditor } from "../src/graph/read_editor";
import { search } from "../src/graph/search";
import { fits } from "../src/graph/sockets";
import { readCatalog } from "../src/server/object_info";

const answer = await fetch(`${inject("service")}/object_info`);
const { catalog } = readCatalog(await answer.json());
const file = resolve(import.meta.dirname, "../../workflows/hello.json");
const hello = fromEditor(JSON.parse(readFileSync(file, "utf-8")), catalog);
const why = (from: string, slot: number, to: string, input: string) =>
  refusal(hello, hello.root, catalog, { from, slot, to, input });

describe("a link", () => {
  it("goes where its type is taken", () => {
    expect(why("1", 0, "5", "model")).toBeNull();
    expect(why("4", 0, "6", "samples")).toBeNull();
  });

  it("is refused with the reason", () => {
    expect(why("1", 0, "5", "positive")).toEqual({
      reason: "type",
      received: "MODEL",
      expected: "CONDITIONING",
    });
    expect(why("7", 0, "7", "image")).toEqual({ reason: "itself" });
    expect(why("1", 9, "5", "model")).toEqual({ reason: "missing" });
    expect(why("1", 0, "no such node", "model")).toEqual({ reason: "missing" });
    const scaled = { from: "8", slot: 0, to: "7", input: "image" };
    expect(refusal(hello, hello.root, catalog, scaled)).toEqual({
      reason: "circle",
      through: "Enlarge",
    });
  });

  it("dropped on a node goes into the first free input that takes it", () => {
    const { links: _, ...rest } = hello.root;
    const bare = { ...rest, links: {} };
    expect(freeInput(hello, bare, catalog, { node: "2", slot: 0 }, "5")).toBe("positive");
    expect(freeInput(hello, bare, catalog, { node: "9", slot: 0 }, "5")).toBeUndefined();
  });

  it.each([
    ["IMAGE", "IMAGE", true],
    ["INT", "INT,FLOAT", true],
    ["*", "MASK", true],
    ["MASK", "*", true],
    ["IMAGE", "MASK", false],
  ])("of type %s into %s", (received, expected, fitting) => {
    expect(fits(received, expected)).toBe(fitting);
  });
});

describe("the search for nodes", () => {
  const found = (query: string) => search(catalog, query).map(({ id }) => id);

  it("finds by the beginning of a title, of a word, of an id, and by letters in order", () => {
    expect(found("ksam")[0]).toBe("KSampler");
    expect(found("checkpoint")).toContain("CheckpointLoaderSimple");
    expect(found("ksmplr")).toContain("KSampler");
    expect(found("no such thing at all")).toEqual([]);
  });

  it("has a kind first by the whole of its title, and of its id", () => {
    const best = new Map<string, NodeKind[]>();
    for (const kind of catalog.values()) {
      const title = kind.title.toLowerCase();
      best.set(title, [...(best.get(title) ?? []), kind]);
    }
    const some = <T>(all: Iterable<T>): T[] => [...all].filter((_, at) => at % 7 === 0);
    for (const [title, kinds] of some(best)) {
      expect(kinds.map(({ id }) => id)).toContain(found(title)[0]);
    }
    for (const id of some(catalog.keys())) {
      expect(catalog.get(found(id)[0] ?? "")?.id.toLowerCase()).toBe(id.toLowerCase());
    }
  });

  it("has the usual kinds first by the word that stands for them", () => {
    expect(found("save")[0]).toBe("SaveImage");
    expect(found("sampler")[0]).toBe("KSampler");
    expect(found("empty latent image")[0]).toBe("EmptyLatentImage");
    expect(found("image empty")).toContain("EmptyLatentImage");
  });

  it("forgives one typing error, and no more", () => {
    for (const typed of ["ksmapler", "ksampller", "kampler", "kzampler", "sabe image"]) {
      expect(["KSampler", "SaveImage"]).toContain(found(typed)[0]);
    }
    expect(found("kzmapler")).toEqual([]);
  });

  it("hides scattered letters where words are found", () => {
    expect(found("note")[0]).toBe("Note");
    expect(found("note")).not.toContain("AlignYourStepsScheduler");
  });

  it("offers what takes a link, exact types first", () => {
    const loose = { side: "output", node: "1", slot: 0, type: "LATENT" } as const;
    const kinds = search(catalog, "", loose);
    expect(kinds[0]?.id, "the most usual").toBe("KSampler");
    expect(kinds.some(({ id }) => id === "VAEDecode")).toBe(true);
    expect(kinds.some(({ id }) => id === "SaveImage")).toBe(false);
    expect(kinds[0]?.inputs.some(({ type }) => type === "LATENT")).toBe(true);
  });
});

describe("what is wrong with a graph", () => {
  it("is nothing with the bundled one", () => {
    const strange = [...problems(hello, hello.root, catalog).values()].flat();
    // A machine without the voice lacks that one choice.
    expect(strange.filter((one) => one.kind !== "option")).toEqual([]);
  });

  it("is told of each input", () => {
    const kept = Object.entries(hello.root.links).filter(([, { input }]) => input !== "vae");
    const cut = { ...hello.root, links: Object.fromEntries(kept) };
    const low = setValue(cut, "5", "steps", 0);
    const found = problems(hello, setValue(low, "5", "scheduler", "nonsense"), catalog);
    expect(found.get("6")).toEqual([{ kind: "missing", input: "vae" }]);
    expect(found.get("5")?.map(({ kind }) => kind)).toEqual(["range", "option"]);
  });
});

describe("the form of a graph", () => {
  it("asks for words and seeds first, and shows what is saved", () => {
    const { form: _, ...words } = aboutOf(hello.kept);
    const plain = { ...hello, kept: { extra: { soundstage: words } } };
    const first = formOf(plain, catalog).first.flatMap((part) =>
      part.inputs.map(({ name }) => `${part.name}: ${name}`),
    );
    expect(first).toEqual([
      "What to draw: text",
      "What to leave out: text",
      "Draw: seed",
      "Speak the caption: text",
    ]);
    expect(showing(hello, catalog).map(({ id }) => id)).toEqual(["8", "11"]);
  });
});
