import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { locate } from "../src/graph/locate";
import { emptyWorkflow, type GraphNode, ROOT } from "../src/graph/model";
import type { NodeRun } from "../src/run/progress";
import { barEnd, ticks, timeline } from "../src/run/timeline";

const ran = (lane: string, began: number, seconds?: number, loading?: number): NodeRun => ({
  state: seconds === undefined ? "running" : "done",
  value: 0,
  max: 1,
  span: { lane, began, seconds, loading },
});

describe("a timeline", () => {
  it("has a bar for each node that ran, from the first beginning on", () => {
    const nodes = {
      "1": ran("lane 0 cpu", 1000, 0.5),
      "2": ran("lane 1 cpu", 1250, 1, 0.25),
      "3": ran("lane 0 cpu", 1500),
      "4": { state: "cached", value: 1, max: 1 } as const,
    };
    const shown = timeline({ nodes }, 3000);
    expect(shown.lanes.map(({ name }) => name)).toEqual(["lane 0 cpu", "lane 1 cpu"]);
    expect(shown.bars.map(({ id }) => id)).toEqual(["1", "2", "3"]);
    expect(shown.bars[1]).toMatchObject({ from: 250, loading: 250, running: 1000 });
    expect(shown.bars[2]).toMatchObject({ from: 500, running: 1500 });
    expect(shown.cached).toEqual(["4"]);
    expect(shown.length).toBe(2000);
  });

  it("never lays two bars of a row over each other, and loses none", () => {
    const span = fc.record({
      lane: fc.constantFrom("lane 0 cpu", "lane 1 cuda:0", "MainThread"),
      began: fc.double({ min: 1e12, max: 1e12 + 5000, noNaN: true }),
      seconds: fc.option(fc.double({ min: 0, max: 3, noNaN: true }), { nil: undefined }),
      loading: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
    });
    const jobs = fc.dictionary(
      fc.string(),
      span.map(({ lane, began, seconds, loading }) => ran(lane, began, seconds, loading)),
    );
    fc.assert(
      fc.property(jobs, fc.double({ min: 0, max: 2e12, noNaN: true }), (nodes, now) => {
        const { lanes, bars, length } = timeline({ nodes }, now);
        expect(bars.length).toBe(Object.keys(nodes).length);
        expect(lanes.flatMap(({ rows }) => rows.flat()).length).toBe(bars.length);
        for (const row of lanes.flatMap(({ rows }) => rows)) {
          row.slice(1).forEach((bar, at) => {
            expect(bar.from).toBeGreaterThanOrEqual(barEnd(row[at] ?? bar));
          });
        }
        for (const bar of bars) {
          expect(bar.running).toBeGreaterThanOrEqual(0);
          expect(barEnd(bar)).toBeLessThanOrEqual(length);
        }
      }),
    );
  });

  it("has round times on its axis, not too many", () => {
    expect(ticks(1000, 5)).toEqual([0, 200, 400, 600, 800, 1000]);
    fc.assert(
      fc.property(
        fc.double({ min: 1e-3, max: 1e9, noNaN: true }),
        fc.integer({ min: 1, max: 50 }),
        (length, most) => {
          const found = ticks(length, most);
          expect(found.length).toBeLessThanOrEqual(most + 1);
          expect(Math.max(...found)).toBeLessThanOrEqual(length * (1 + 1e-9));
        },
      ),
    );
  });
});

describe("the place of a prompt's node", () => {
  const node = (id: string, type: string): GraphNode => ({
    id,
    type,
    x: 0,
    y: 0,
    mode: "run",
    collapsed: false,
    values: {},
    after: {},
  });
  const inner = { nodes: { "7": node("7", "Sleep") }, links: {}, groups: {} };
  const workflow = {
    ...emptyWorkflow(),
    root: { nodes: { "12": node("12", "sub"), "3": node("3", "Show") }, links: {}, groups: {} },
    subgraphs: { sub: { id: "sub", name: "Sub", sheet: inner, inputs: [], outputs: [] } },
  };

  it("is found on the root, inside of subgraphs, and for what came out of a node", () => {
    expect(locate(workflow, "3")).toMatchObject({ sheet: ROOT, path: [] });
    expect(locate(workflow, "3.0.2")?.node.id).toBe("3");
    const inside = { node: { id: "7" }, sheet: "sub", path: [{ host: "12", sheet: "sub" }] };
    expect(locate(workflow, "12:7")).toMatchObject(inside);
    for (const gone of ["4", "12:8", "3:1:x", ""]) {
      expect(locate(workflow, gone)?.node.id).not.toBe("7");
    }
  });
});
