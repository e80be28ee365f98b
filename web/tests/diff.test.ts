import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Change, diff, marks } from "../src/graph/diff";
import { change, setValue } from "../src/graph/edits";
import { onSheet, ROOT, type Workflow } from "../src/graph/model";
import { fromEditor } from "../src/graph/read_editor";
import { toEditor } from "../src/graph/write_editor";
import { catalog, done, edits } from "./random_edits";

const twoStates = fc
  .tuple(fc.array(edits, { maxLength: 25 }), fc.array(edits, { maxLength: 10 }))
  .map(([first, more]): [Workflow, Workflow] => {
    const before = done(first).present;
    return [before, more.reduce((workflow, edit) => edit(workflow), before)];
  });

const BACK: Partial<Record<Change["kind"], Change["kind"]>> = {
  added: "removed",
  removed: "added",
  linked: "unlinked",
  unlinked: "linked",
  groupAdded: "groupRemoved",
  groupRemoved: "groupAdded",
  subgraphAdded: "subgraphRemoved",
  subgraphRemoved: "subgraphAdded",
};

const subject = (one: Change, kind: Change["kind"]): string =>
  JSON.stringify([
    kind,
    one.sheet,
    "node" in one ? one.node : "",
    "input" in one ? one.input : "",
    "link" in one ? [one.link.from, one.link.slot, one.link.to, one.link.input] : "",
    "group" in one ? one.group.id : "",
  ]);

describe("the difference of two states", () => {
  it("is nothing where they are the same, also after a way through a file", () => {
    fc.assert(
      fc.property(fc.array(edits, { maxLength: 40 }), (steps) => {
        const state = done(steps).present;
        expect(diff(state, state)).toEqual([]);
        expect(diff(state, structuredClone(state))).toEqual([]);
        const kept = fromEditor(JSON.parse(JSON.stringify(toEditor(state, catalog))), catalog);
        const again = fromEditor(JSON.parse(JSON.stringify(toEditor(kept, catalog))), catalog);
        expect(diff(kept, again)).toEqual([]);
        expect(diff(state, kept)).toEqual([]);
      }),
    );
  });

  it("is the same backwards, with what came as what went", () => {
    fc.assert(
      fc.property(twoStates, ([before, after]) => {
        const forth = diff(before, after).map((one) => subject(one, one.kind));
        const back = diff(after, before).map((one) => subject(one, BACK[one.kind] ?? one.kind));
        expect(back.sort()).toEqual(forth.sort());
      }),
    );
  });

  it("names every node and link that came or went, and every node that is not as it was", () => {
    fc.assert(
      fc.property(twoStates, ([before, after]) => {
        const changes = diff(before, after);
        const marked = marks(changes, ROOT);
        const ids = Object.keys({ ...before.root.nodes, ...after.root.nodes });
        for (const id of ids) {
          const [old, now] = [before.root.nodes[id], after.root.nodes[id]];
          const mark = marked.get(id);
          if (!old) expect(mark).toBe("added");
          else if (!now) expect(mark).toBe("removed");
          else if (old === now) expect(mark).toBeUndefined();
        }
        const links = (workflow: Workflow) => Object.keys(workflow.root.links).length;
        const count = (kind: string) => changes.filter((one) => one.kind === kind).length;
        expect(links(before) + count("linked") - count("unlinked")).toBe(links(after));
      }),
    );
  });

  it("says what a value, a title and a place were and are", () => {
    const before = done([]).present;
    const node = { mode: "run", collapsed: false, values: { steps: 20 }, after: {} } as const;
    const one = onSheet(before, ROOT, (sheet) => ({
      ...sheet,
      nodes: { "5": { ...node, id: "5", type: "KSampler", x: 0, y: 0 } },
    }));
    const two = onSheet(one, ROOT, (sheet) =>
      change(setValue(sheet, "5", "steps", 30), "5", { title: "Draw", x: 40 }),
    );
    expect(diff(one, two)).toEqual([
      { kind: "title", sheet: ROOT, node: "5", before: "", after: "Draw" },
      { kind: "value", sheet: ROOT, node: "5", input: "steps", before: 20, after: 30 },
      { kind: "moved", sheet: ROOT, node: "5", before: { x: 0, y: 0 }, after: { x: 40, y: 0 } },
    ]);
    expect(marks(diff(one, two), ROOT).get("5")).toBe("changed");
  });
});
