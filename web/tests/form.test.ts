import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, inject, it } from "vitest";
import { type Ask, aboutOf, type FormAsks, withAbout } from "../src/graph/about";
import { setMode } from "../src/graph/edits";
import { asksOf, formOf, keyOf, moveAsk, nameAsk, putAsk } from "../src/graph/form";
import { fromEditor } from "../src/graph/read_editor";
import { toEditor } from "../src/graph/write_editor";
import { readCatalog } from "../src/server/object_info";

const answer = await fetch(`${inject("service")}/object_info`);
const { catalog } = readCatalog(await answer.json());
const file = resolve(import.meta.dirname, "../../workflows/picture.json");
const workflow = fromEditor(JSON.parse(readFileSync(file, "utf-8")), catalog);
const chosen = asksOf(workflow, catalog);
const all = [...chosen.first, ...chosen.settings, ...chosen.hidden];

type Step = (form: FormAsks) => FormAsks;
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(fc.constantFrom(...all), fc.constantFrom("first", "settings", "hidden" as const)).map(
    ([ask, place]) =>
      (form: FormAsks) =>
        putAsk(form, ask, place),
  ),
  fc.tuple(fc.constantFrom(...all), fc.constantFrom(-1, 1 as const)).map(
    ([ask, by]) =>
      (form: FormAsks) =>
        moveAsk(form, ask, by),
  ),
  fc.tuple(fc.constantFrom(...all), fc.string()).map(
    ([ask, name]) =>
      (form: FormAsks) =>
        nameAsk(form, ask, name),
  ),
);

describe("a form, whatever is done to it", () => {
  const done = (list: Step[]): FormAsks =>
    list.reduce<FormAsks>((form, step) => step(form), chosen);

  it("asks for nothing twice and loses nothing", () => {
    fc.assert(
      fc.property(fc.array(steps), (list) => {
        const form = done(list);
        const again = asksOf(withAbout(workflow, { form }), catalog);
        expect(again.first).toEqual(form.first);
        expect(again.settings).toEqual(form.settings);
        const keys = [...again.first, ...again.settings, ...again.hidden].map(keyOf);
        expect(keys.sort()).toEqual(all.map(keyOf).sort());
      }),
    );
  });

  it("is the same in the file", () => {
    fc.assert(
      fc.property(fc.array(steps), (list) => {
        const edited = withAbout(workflow, { form: done(list) });
        const saved = fromEditor(toEditor(edited, catalog), catalog);
        expect(aboutOf(saved.kept)).toEqual(aboutOf(edited.kept));
      }),
      { numRuns: 20 },
    );
  });
});

describe("a form", () => {
  it("is made from the graph again when its author gives it up", () => {
    const plain = withAbout(workflow, { form: undefined });
    expect(aboutOf(plain.kept).form).toBeUndefined();
    expect(aboutOf(plain.kept).title).toBe(aboutOf(workflow.kept).title);
    expect(asksOf(plain, catalog).hidden).toEqual([]);
  });

  it("leaves out what is gone, and what does not run", () => {
    const [first] = chosen.first as [Ask];
    const root = setMode(workflow.root, [first.node], "muted");
    const left = formOf({ ...workflow, root }, catalog);
    expect(left.first.length).toBe(formOf(workflow, catalog).first.length - 1);
    const strange = { first: [{ node: "nobody", input: "x", name: "y" }], settings: [] };
    expect(formOf(withAbout(workflow, { form: strange }), catalog).first).toEqual([]);
  });

  it("is nothing that a file can break", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (soundstage) => {
        const about = aboutOf({ extra: { soundstage } });
        expect(Array.isArray(about.needs)).toBe(true);
        const kept = JSON.parse(JSON.stringify({ extra: { soundstage } }));
        expect(formOf({ ...workflow, kept }, catalog).first.length).toBeGreaterThan(0);
      }),
    );
  });
});
