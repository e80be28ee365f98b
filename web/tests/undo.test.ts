import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { begin, commit, redo, undo } from "../src/graph/history";
import { toPrompt } from "../src/graph/prompt";
import { fromEditor } from "../src/graph/read_editor";
import { reading } from "../src/graph/reading";
import { toEditor } from "../src/graph/write_editor";
import { catalog, done, edits } from "./random_edits";

describe("any row of edits", () => {
  it("is undone to the very beginning, and done again to the same end", () => {
    fc.assert(
      fc.property(fc.array(edits, { maxLength: 40 }), (steps) => {
        let history = done(steps);
        const [first, end, count] = [history.past[0]?.value, history.present, history.past.length];
        for (let step = 0; step < count; step += 1) history = undo(history);
        if (first) expect(history.present).toBe(first);
        expect(undo(history)).toBe(history);
        for (let step = 0; step < count; step += 1) history = redo(history);
        expect(history.present).toBe(end);
        expect(redo(history)).toBe(history);
      }),
    );
  });

  it("leaves no link without its nodes, no input with two links and no circle", () => {
    fc.assert(
      fc.property(fc.array(edits, { maxLength: 60 }), (steps) => {
        const { root } = done(steps).present;
        const links = Object.values(root.links);
        for (const { from, to } of links) {
          expect(root.nodes[from]).toBeDefined();
          expect(root.nodes[to]).toBeDefined();
        }
        expect(new Set(links.map(({ to, input }) => `${to} ${input}`)).size).toBe(links.length);
        const order = reading(root).map(({ id }) => id);
        for (const { from, to } of links) {
          expect(order.indexOf(from)).toBeLessThan(order.indexOf(to));
        }
      }),
    );
  });

  it("makes a graph that is saved and opened without loss", () => {
    fc.assert(
      fc.property(fc.array(edits, { maxLength: 40 }), (steps) => {
        const workflow = done(steps).present;
        const file = JSON.parse(JSON.stringify(toEditor(workflow, catalog)));
        const again = fromEditor(file, catalog);
        expect(toPrompt(again, catalog)).toEqual(toPrompt(workflow, catalog));
        expect(JSON.parse(JSON.stringify(toEditor(again, catalog)))).toEqual(file);
      }),
    );
  });
});

describe("typing", () => {
  it("is undone as one step", () => {
    let history = begin("");
    for (const text of ["a", "ab", "abc"]) history = commit(history, text, "Set text", "text");
    history = commit(history, "xyz", "Set other", "other");
    expect(undo(history).present).toBe("abc");
    expect(undo(undo(history)).present).toBe("");
  });
});
