import { describe, expect, it } from "vitest";
import { holds } from "../src/graph/cause";
import { addNode, change, connect, setValue } from "../src/graph/edits";
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
const refused: Refusals = {
  then,
  partly: false,
  read: false,
  errors: { "1": { errors: [error] } },
};
const said = (now: Workflow, id = "1"): string[] => {
  return complaints(refused, id, now, []);
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

  it("goes with what flows into it, however far away, and comes back with it", () => {
    const into = (from: string, to: string, input: string) => (workflow: Workflow) =>
      onSheet(workflow, ROOT, (sheet) =>
        connect(sheet, { from, slot: 0, to, input, type: "LATENT" }),
      );
    const three = onSheet(then, ROOT, (sheet) => addNode(sheet, node("3")));
    const linked = into("2", "1", "latent_image")(into("3", "2", "latent_image")(three));
    const now = onSheet(linked, ROOT, (sheet) => setValue(sheet, "3", "steps", 5));
    const back = onSheet(now, ROOT, (sheet) => setValue(sheet, "3", "steps", 4));
    expect(holds(linked, now, "1")).toBe(false);
    expect(holds(linked, back, "1")).toBe(true);
    const after = onSheet(linked, ROOT, (sheet) => setValue(sheet, "1", "steps", 5));
    expect(holds(linked, after, "2"), "what comes after changes nothing").toBe(true);
    expect(holds(linked, then, "1")).toBe(false);
    expect(holds(linked, then, "3"), "it is gone").toBe(false);
  });

  it("is left out where the same is found here, with a remedy", () => {
    const missing = { ...error, extra_info: { input_name: "vae" } };
    const refusals: Refusals = {
      then,
      partly: false,
      read: false,
      errors: { "1": { errors: [missing, error] } },
    };
    const found = [{ kind: "missing", input: "vae" } as const];
    expect(complaints(refusals, "1", then, found)).toEqual(["No: never"]);
    expect(wordsAt(found, false, true)).toEqual([]);
    expect(wordsAt(found, true, true)).toEqual(["vae is missing: link something to it."]);
  });
});
