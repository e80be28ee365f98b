import { describe, expect, it } from "vitest";
import { change, connect, setValue } from "../src/graph/edits";
import { emptyWorkflow, type GraphNode, onSheet, ROOT, type Workflow } from "../src/graph/model";
import { complaints, type Refusals, wordsAt } from "../src/stores/complaints";

const node = (id: string): GraphNode => ({
  id,
  type: "KSampler",
  x: 0,
  y: 0,
  mode: "run",
  collapsed: false,
  values: { steps: 4 },
  after: {},
});
const nodes = { "1": node("1"), "2": node("2") };
const then: Workflow = { ...emptyWorkflow(), root: { nodes, links: {}, groups: {} } };
const error = { type: "custom", message: "No", details: "never", extra_info: {} };
const refused: Refusals = { then, errors: { "1": { errors: [error] } } };
const said = (now: Workflow, id = "1"): string[] => {
  const here = now.root.nodes[id];
  return here ? complaints(refused, id, now, ROOT, here, []) : [];
};

describe("what the service said against a node", () => {
  it("stands there as long as the node means the same", () => {
    expect(said(then)).toEqual(["No: never"]);
    expect(said(then, "2")).toEqual([]);
    const edited = (id: string, edit: Partial<GraphNode>) =>
      onSheet(then, ROOT, (sheet) => change(sheet, id, edit));
    expect(said(edited("1", { x: 50, collapsed: true, title: "Mine" }))).toEqual(["No: never"]);
    expect(said(edited("2", { mode: "muted" }))).toEqual(["No: never"]);
    expect(said(edited("1", { mode: "muted" }))).toEqual([]);
    expect(said(onSheet(then, ROOT, (sheet) => setValue(sheet, "1", "steps", 5)))).toEqual([]);
    const link = { from: "2", slot: 0, to: "1", input: "latent_image", type: "LATENT" };
    expect(said(onSheet(then, ROOT, (sheet) => connect(sheet, link)))).toEqual([]);
  });

  it("is left out where the same is found here, with a remedy", () => {
    const missing = { ...error, extra_info: { input_name: "vae" } };
    const refusals: Refusals = { then, errors: { "1": { errors: [missing, error] } } };
    const found = [{ kind: "missing", input: "vae" } as const];
    expect(complaints(refusals, "1", then, ROOT, node("1"), found)).toEqual(["No: never"]);
    expect(wordsAt(found, false, true)).toEqual([]);
    expect(wordsAt(found, true, true)).toEqual(["vae is missing: link something to it."]);
  });
});
