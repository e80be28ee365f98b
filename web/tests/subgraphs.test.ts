import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, inject, it } from "vitest";
import { withAbout } from "../src/graph/about";
import { afterRun } from "../src/graph/after_run";
import { diff } from "../src/graph/diff";
import { setAfter, setValue } from "../src/graph/edits";
import { link } from "../src/graph/ends";
import { formOf } from "../src/graph/form";
import { ENTRY, type GraphNode, onSheet, ROOT, type Workflow } from "../src/graph/model";
import { type Prompt, toPrompt } from "../src/graph/prompt";
import { fromEditor } from "../src/graph/read_editor";
import { socketsOf } from "../src/graph/sockets";
import { fold, unfoldNode } from "../src/graph/subgraphs";
import { toEditor } from "../src/graph/write_editor";
import { readCatalog } from "../src/server/object_info";

const service = inject("service");
const { catalog } = readCatalog(await (await fetch(`${service}/object_info`)).json());
const HELLO = resolve(import.meta.dirname, "../../workflows/hello.json");
const hello = fromEditor(JSON.parse(readFileSync(HELLO, "utf-8")), catalog);
const IDS = Object.keys(hello.root.nodes);

/** A prompt with its nodes named by their titles, which folding does not change. */
function byTitle(workflow: Workflow): unknown {
  const prompt: Prompt = toPrompt(workflow, catalog);
  const title = (id: string): string => prompt[id]?._meta.title ?? id;
  return Object.fromEntries(
    Object.values(prompt).map((node) => {
      const inputs = Object.entries(node.inputs).map(([name, value]) =>
        Array.isArray(value) ? [name, [title(String(value[0])), value[1]]] : [name, value],
      );
      return [node._meta.title, { ...node, inputs: Object.fromEntries(inputs) }];
    }),
  );
}

const folded = (workflow: Workflow, ids: readonly string[]) =>
  fold(workflow, ROOT, new Set(ids), catalog, "Part");

describe("nodes folded into a subgraph", () => {
  it("run as before, also after saving, and unfolded again", () => {
    fc.assert(
      fc.property(fc.subarray(IDS, { minLength: 1 }), (ids) => {
        const { workflow, host } = folded(hello, ids);
        expect(byTitle(workflow)).toEqual(byTitle(hello));
        const saved = JSON.parse(JSON.stringify(toEditor(workflow, catalog)));
        expect(byTitle(fromEditor(saved, catalog))).toEqual(byTitle(hello));
        const back = unfoldNode(workflow, ROOT, host);
        expect(back.ids).toHaveLength(ids.length);
        expect(byTitle(back.workflow)).toEqual(byTitle(hello));
      }),
    );
  });

  it("are sent as the service sends them", async () => {
    const { workflow } = folded(hello, ["2", "3", "5"]);
    const file = toEditor(workflow, catalog);
    const answer = await fetch(`${service}/workflow/convert`, {
      method: "POST",
      body: JSON.stringify(file),
    });
    expect(toPrompt(workflow, catalog)).toEqual(await answer.json());
  });

  it("change nothing when they are folded and unfolded, or what was edited in between", () => {
    fc.assert(
      fc.property(fc.subarray(IDS, { minLength: 1 }), (ids) => {
        const { workflow, host } = folded(hello, ids);
        expect(diff(hello, unfoldNode(workflow, ROOT, host).workflow)).toEqual([]);
        const { type } = workflow.root.nodes[host] as GraphNode;
        const [id = ""] = ids;
        const edited = onSheet(workflow, type, (sheet) => setValue(sheet, id, "note", "x"));
        expect(diff(hello, unfoldNode(edited, ROOT, host).workflow)).toEqual([
          { kind: "value", sheet: ROOT, node: id, input: "note", before: undefined, after: "x" },
        ]);
      }),
    );
  });

  it("get other ids where theirs are taken when they are unfolded", () => {
    const { workflow, host } = folded(hello, ["5"]);
    const taken = onSheet(workflow, ROOT, (sheet) => {
      const note = {
        ...(hello.root.nodes["6"] as GraphNode),
        id: "5",
        type: "Note",
        title: "Here",
      };
      return { ...sheet, nodes: { ...sheet.nodes, "5": note } };
    });
    const { ids, workflow: back } = unfoldNode(taken, ROOT, host);
    expect(ids).toHaveLength(1);
    expect(ids).not.toContain("5");
    expect(back.root.nodes["5"]?.title).toBe("Here");
  });

  it("stay a subgraph while another node stands for it", () => {
    const { workflow, host } = folded(hello, ["5"]);
    const twice = onSheet(workflow, ROOT, (sheet) => {
      const copy = { ...(sheet.nodes[host] as GraphNode), id: "99" };
      return { ...sheet, nodes: { ...sheet.nodes, "99": copy } };
    });
    const once = unfoldNode(twice, ROOT, host).workflow;
    expect(Object.keys(once.subgraphs)).toHaveLength(1);
    expect(Object.keys(unfoldNode(once, ROOT, "99").workflow.subgraphs)).toHaveLength(0);
  });

  it("are folded within each other", () => {
    const once = folded(hello, ["5", "6"]);
    const twice = folded(once.workflow, [once.host, "7"]);
    expect(byTitle(twice.workflow)).toEqual(byTitle(hello));
    const back = unfoldNode(twice.workflow, ROOT, twice.host);
    expect(byTitle(back.workflow)).toEqual(byTitle(hello));
  });
});

describe("widgets inside of a subgraph", () => {
  const sampler = Object.values(hello.root.nodes).find(({ type }) => type === "KSampler");
  if (!sampler) throw new Error("hello.json has no KSampler");
  const { workflow: closed, host } = folded(hello, [sampler.id]);
  const { type } = closed.root.nodes[host] as GraphNode;
  const slot = closed.subgraphs[type]?.inputs.length ?? 0;
  const drawn = { from: ENTRY, slot, to: sampler.id, input: "seed" };
  const asking = link(closed, type, catalog, drawn);
  const seedOf = (workflow: Workflow) =>
    toPrompt(workflow, catalog)[`${host}:${sampler.id}`]?.inputs.seed;
  const onHost = (edit: Parameters<typeof onSheet>[2]) => onSheet(asking, ROOT, edit);

  it("are asked for by the node that it stands as, with the value inside until that has one", () => {
    const { first } = formOf(withAbout(asking, { form: undefined }), catalog);
    const asked = first.find(({ node }) => node.id === host)?.inputs;
    expect(asked?.map(({ name }) => name)).toEqual(["seed"]);
    expect(asked?.[0]?.default).toBe(sampler.values.seed);
    expect(seedOf(asking)).toBe(sampler.values.seed);
    expect(seedOf(onHost((sheet) => setValue(sheet, host, "seed", 99)))).toBe(99);
  });

  it("are as before in the file, and as the service reads them there", async () => {
    const set = onHost((sheet) =>
      setAfter(setValue(sheet, host, "seed", 99), host, "seed", "increment"),
    );
    const file = JSON.parse(JSON.stringify(toEditor(set, catalog)));
    const { values, after } = fromEditor(file, catalog).root.nodes[host] as GraphNode;
    expect({ values, after }).toEqual({ values: { seed: 99 }, after: { seed: "increment" } });
    const answer = await fetch(`${service}/workflow/convert`, {
      method: "POST",
      body: JSON.stringify(file),
    });
    expect(await answer.json()).toEqual(toPrompt(set, catalog));
  });

  it("change after a run where they are set", () => {
    const set = onHost((sheet) =>
      setAfter(setValue(sheet, host, "seed", 99), host, "seed", "increment"),
    );
    expect(seedOf(afterRun(set, catalog, Math.random))).toBe(100);
    const inside = onSheet(asking, type, (sheet) =>
      setAfter(sheet, sampler.id, "seed", "increment"),
    );
    const next = afterRun(inside, catalog, Math.random);
    expect(seedOf(next)).toBe(Number(sampler.values.seed) + 1);
    expect(next.root.nodes[host]?.values.seed).toBeUndefined();
  });

  it("need no socket where the file names them", () => {
    const properties = { proxyWidgets: [[sampler.id, "steps"]] };
    const named = onSheet(closed, ROOT, (sheet) => {
      const node = { ...(sheet.nodes[host] as GraphNode), kept: { properties } };
      return { ...sheet, nodes: { ...sheet.nodes, [host]: node } };
    });
    const node = named.root.nodes[host] as GraphNode;
    const key = `${sampler.id}.steps`;
    expect(socketsOf(named, node, catalog).bare?.map(({ name }) => name)).toEqual([key]);
    const set = onSheet(named, ROOT, (sheet) => setValue(sheet, host, key, 3));
    expect(toPrompt(set, catalog)[`${host}:${sampler.id}`]?.inputs.steps).toBe(3);
  });

  it("of a subgraph inside of itself are none", () => {
    const { subgraphs } = asking;
    const inner = { ...(asking.root.nodes[host] as GraphNode), id: sampler.id };
    const circular = onSheet({ ...asking, subgraphs }, type, (sheet) => ({
      ...sheet,
      nodes: {
        ...sheet.nodes,
        [sampler.id]: { ...inner, inputs: [{ name: "seed", type: "INT", widget: true }] },
      },
    }));
    const { first, settings } = formOf(withAbout(circular, { form: undefined }), catalog);
    expect([...first, ...settings].some(({ node }) => node.id === host)).toBe(false);
  });
});
