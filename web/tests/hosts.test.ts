import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { setValue } from "../src/graph/edits";
import { encoderOf } from "../src/graph/encoder";
import { link } from "../src/graph/ends";
import { locate, placeName, withNames } from "../src/graph/locate";
import { ENTRY, type GraphNode, onSheet, ROOT, sheetOf, type Workflow } from "../src/graph/model";
import { sourceIn } from "../src/graph/model_sources";
import { allProblems } from "../src/graph/problems";
import { fieldsOf, leafOf } from "../src/graph/promoted";
import { toPrompt } from "../src/graph/prompt";
import { fromEditor, isEditorFile } from "../src/graph/read_editor";
import { socketsOf } from "../src/graph/sockets";
import { fold } from "../src/graph/subgraphs";
import { promptId } from "../src/graph/uses";
import { toEditor } from "../src/graph/write_editor";
import { readCatalog } from "../src/server/object_info";
import { problemText } from "../src/strings/refused";

const service = inject("service");
const templates = inject("templates");
const { catalog } = readCatalog(await (await fetch(`${service}/object_info`)).json());
const HELLO = resolve(import.meta.dirname, "../../workflows/hello.json");
/** The picture of the bundled workflow; its voice needs a model that is not here. */
const hello = onSheet(
  fromEditor(JSON.parse(readFileSync(HELLO, "utf-8")), catalog),
  ROOT,
  ({ nodes, links, groups }) => ({
    nodes: Object.fromEntries(Object.entries(nodes).filter(([id]) => Number(id) < 9)),
    links: Object.fromEntries(
      Object.entries(links).filter(([, { from, to }]) => Math.max(Number(from), Number(to)) < 9),
    ),
    groups,
  }),
);

const titled = (title: string): GraphNode => {
  const found = Object.values(hello.root.nodes).find((node) => node.title === title);
  if (!found) throw new Error(`hello.json has no ${title}`);
  return found;
};

/** What a host shows: each widget inside by its place, as often as it is shown. */
function shownLeaves(workflow: Workflow, host: GraphNode): string[] {
  return fieldsOf(workflow, host, catalog).map(({ name }) => {
    const leaf = leafOf(workflow, host, name, catalog);
    return `${promptId(leaf.path, leaf.node.id)} ${leaf.input}`;
  });
}

function* hosts(workflow: Workflow): Generator<GraphNode> {
  for (const id of [ROOT, ...Object.keys(workflow.subgraphs)]) {
    for (const node of Object.values(sheetOf(workflow, id).nodes)) {
      if (workflow.subgraphs[node.type]) yield node;
    }
  }
}

describe.skipIf(!templates)("the hosts in the templates of ComfyUI", () => {
  const opened = readdirSync(templates, { recursive: true, encoding: "utf-8" })
    .filter((name) => name.endsWith(".json"))
    .map((name) => [name, JSON.parse(readFileSync(join(templates, name), "utf-8"))] as const)
    .filter(([, document]) => isEditorFile(document))
    .map(([name, document]) => [name, fromEditor(document, catalog)] as const);

  it("show no widget twice", () => {
    let count = 0;
    for (const [name, workflow] of opened) {
      for (const host of hosts(workflow)) {
        const leaves = shownLeaves(workflow, host);
        expect(leaves, `${name}, node ${host.id}`).toEqual([...new Set(leaves)]);
        count += leaves.length;
      }
    }
    expect(count).toBeGreaterThan(500);
  });

  it("are asked about once where a model is missing, and know where it comes from", () => {
    let known = 0;
    for (const [name, workflow] of opened) {
      const found = allProblems(workflow, catalog);
      const rows = found.map(
        ({ leaf, leafInput, problem }) => `${leaf} ${leafInput} ${problem.kind}`,
      );
      expect(rows, name).toEqual([...new Set(rows)]);
      for (const { problem, node } of found) {
        if (problem.kind !== "option" || !problem.model) continue;
        const place = locate(workflow, node);
        if (!place || place.path.length > 0 || !workflow.subgraphs[place.node.type]) continue;
        const value = String(problem.value);
        if (sourceIn(workflow, place.node, problem.input, value, catalog)) known += 1;
      }
    }
    expect(known).toBeGreaterThan(50);
  });
});

describe("a widget that a socket leads to and the file names besides", () => {
  const text = titled("What to draw");
  const { workflow: closed, host } = fold(hello, ROOT, new Set([text.id]), catalog, "Words");
  const type = closed.root.nodes[host]?.type ?? "";
  const slot = closed.subgraphs[type]?.inputs.length ?? 0;
  const asking = link(closed, type, catalog, { from: ENTRY, slot, to: text.id, input: "text" });
  const named = onSheet(asking, ROOT, (sheet) => {
    const properties = { proxyWidgets: [[text.id, "text"]] };
    const node = { ...(sheet.nodes[host] as GraphNode), kept: { properties } };
    return { ...sheet, nodes: { ...sheet.nodes, [host]: node } };
  });
  const textOf = (workflow: Workflow) =>
    toPrompt(workflow, catalog)[`${host}:${text.id}`]?.inputs.text;

  it("is one field, of the socket", () => {
    const node = named.root.nodes[host] as GraphNode;
    expect(fieldsOf(named, node, catalog).map(({ name }) => name)).toEqual(["text"]);
    expect(socketsOf(named, node, catalog).bare).toEqual([]);
  });

  it("has the value that a file saves for either", async () => {
    const set = onSheet(named, ROOT, (sheet) => setValue(sheet, host, "text", "a fox"));
    expect(textOf(set)).toBe("a fox");
    const file = JSON.parse(JSON.stringify(toEditor(set, catalog)));
    const saved = file.nodes.find(({ id }: { id: unknown }) => String(id) === host);
    expect(saved.widgets_values).toEqual(["a fox"]);
    expect(fromEditor(file, catalog).root.nodes[host]?.values).toEqual({ text: "a fox" });
    const body = JSON.stringify(file);
    const answer = await fetch(`${service}/workflow/convert`, { method: "POST", body });
    expect(await answer.json()).toEqual(toPrompt(set, catalog));
  });

  it("shows a value that was set when it had two fields", () => {
    const old = onSheet(named, ROOT, (sheet) => setValue(sheet, host, `${text.id}.text`, "old"));
    const [field] = fieldsOf(old, old.root.nodes[host] as GraphNode, catalog);
    expect(field?.default).toBe("old");
    expect(textOf(old)).toBe("old");
    expect(textOf(onSheet(old, ROOT, (sheet) => setValue(sheet, host, "text", "new")))).toBe("new");
  });
});

describe("a widget two subgraphs deep", () => {
  const text = titled("What to draw");
  const expose = (workflow: Workflow, host: string, to: string): Workflow => {
    const type = workflow.root.nodes[host]?.type ?? "";
    const slot = workflow.subgraphs[type]?.inputs.length ?? 0;
    return link(workflow, type, catalog, { from: ENTRY, slot, to, input: "text" });
  };
  const once = fold(hello, ROOT, new Set([text.id]), catalog, "Inner");
  const open = expose(once.workflow, once.host, text.id);
  const twice = fold(open, ROOT, new Set([once.host]), catalog, "Outer");
  const both = expose(twice.workflow, twice.host, once.host);

  it("is shown by the outermost host, and set there", () => {
    const host = both.root.nodes[twice.host] as GraphNode;
    expect(fieldsOf(both, host, catalog).map(({ name }) => name)).toEqual(["text"]);
    expect(shownLeaves(both, host)).toEqual([`${twice.host}:${once.host}:${text.id} text`]);
    expect(encoderOf(both, { node: host, path: [] }, "text", catalog)).toBe("demo");
    const set = onSheet(both, ROOT, (sheet) => setValue(sheet, host.id, "text", "a fox"));
    const id = `${twice.host}:${once.host}:${text.id}`;
    expect(toPrompt(set, catalog)[id]?.inputs.text).toBe("a fox");
    const file = JSON.parse(JSON.stringify(toEditor(set, catalog)));
    expect(toPrompt(fromEditor(file, catalog), catalog)[id]?.inputs.text).toBe("a fox");
  });
});

describe("the text encoder", () => {
  const loader = Object.values(hello.root.nodes).find(
    ({ type }) => type === "CheckpointLoaderSimple",
  ) as GraphNode;
  const text = titled("What to draw");
  const checkpoint = String(loader.values.ckpt_name);
  const folds: [string, string[]][] = [
    ["with the text alone inside", [text.id]],
    ["with the text and its model inside", [text.id, loader.id]],
    ["with the model alone inside", [loader.id]],
  ];

  it.each(folds)("is the same inside and outside of a subgraph, %s", (_, ids) => {
    const { workflow: closed, host } = fold(hello, ROOT, new Set(ids), catalog, "Part");
    const type = closed.root.nodes[host]?.type ?? "";
    if (!ids.includes(text.id)) {
      const node = closed.root.nodes[text.id] as GraphNode;
      expect(encoderOf(closed, { node, path: [] }, "text", catalog)).toBe(checkpoint);
      return;
    }
    const slot = closed.subgraphs[type]?.inputs.length ?? 0;
    const open = link(closed, type, catalog, { from: ENTRY, slot, to: text.id, input: "text" });
    const outer = { node: open.root.nodes[host] as GraphNode, path: [] };
    const inner = open.subgraphs[type]?.sheet.nodes[text.id] as GraphNode;
    const path = [{ host, sheet: type }];
    expect(encoderOf(open, outer, "text", catalog)).toBe(checkpoint);
    expect(encoderOf(open, { node: inner, path }, "text", catalog)).toBe(checkpoint);
  });

  it("is that of the model which the host chooses", () => {
    const { workflow: closed, host } = fold(
      hello,
      ROOT,
      new Set([text.id, loader.id]),
      catalog,
      "Part",
    );
    const type = closed.root.nodes[host]?.type ?? "";
    const slot = closed.subgraphs[type]?.inputs.length ?? 0;
    const drawn = { from: ENTRY, slot, to: loader.id, input: "ckpt_name" };
    const open = link(closed, type, catalog, drawn);
    const set = onSheet(open, ROOT, (sheet) => setValue(sheet, host, "ckpt_name", "other"));
    const node = set.subgraphs[type]?.sheet.nodes[text.id] as GraphNode;
    const path = [{ host, sheet: type }];
    expect(encoderOf(set, { node, path }, "text", catalog)).toBe("other");
  });
});

describe("problems of nodes inside", () => {
  const loader = Object.values(hello.root.nodes).find(
    ({ type }) => type === "CheckpointLoaderSimple",
  ) as GraphNode;
  const sampler = Object.values(hello.root.nodes).find(
    ({ type }) => type === "KSampler",
  ) as GraphNode;
  const broken = onSheet(hello, ROOT, (sheet) =>
    setValue(sheet, loader.id, "ckpt_name", "gone.safetensors"),
  );

  it("are said where they stand, with the way there", () => {
    const { workflow, host } = fold(broken, ROOT, new Set([loader.id]), catalog, "Part");
    const [found, ...others] = allProblems(workflow, catalog);
    expect(others).toEqual([]);
    expect(found?.node).toBe(`${host}:${loader.id}`);
    const place = locate(workflow, found?.node ?? "");
    expect(place && placeName(workflow, place, catalog)).toMatch(/^Part \u203a /);
    expect(withNames(`Node ID '#${host}:${loader.id}'`, workflow, catalog)).toMatch(
      /^Part \u203a /,
    );
    expect(withNames("Node 999:1 is lost", workflow, catalog)).toBe("Node 999:1 is lost");
  });

  it("are said at the host that shows the widget, once", () => {
    const { workflow: closed, host } = fold(broken, ROOT, new Set([loader.id]), catalog, "Part");
    const type = closed.root.nodes[host]?.type ?? "";
    const drawn = { from: ENTRY, slot: 0, to: loader.id, input: "ckpt_name" };
    const found = allProblems(link(closed, type, catalog, drawn), catalog);
    expect(found.map(({ node, leaf, leafInput }) => [node, leaf, leafInput])).toEqual([
      [host, `${host}:${loader.id}`, "ckpt_name"],
    ]);
    expect(found.map(({ problem }) => problemText(problem))).toEqual([
      "ckpt_name: the model gone.safetensors is not here; pull it, or choose another one.",
    ]);
    const properties = { proxyWidgets: [[loader.id, "ckpt_name"]] };
    const proxied = onSheet(closed, ROOT, (sheet) => {
      const node = { ...(sheet.nodes[host] as GraphNode), kept: { properties } };
      return { ...sheet, nodes: { ...sheet.nodes, [host]: node } };
    });
    expect(allProblems(proxied, catalog).map(({ node }) => node)).toEqual([host]);
  });

  it("are a link that the host lacks, where a node inside cannot do without", () => {
    const { workflow, host } = fold(hello, ROOT, new Set([sampler.id]), catalog, "Part");
    const cut = onSheet(workflow, ROOT, (sheet) => ({
      ...sheet,
      links: Object.fromEntries(
        Object.entries(sheet.links).filter(([, { to, input }]) => to !== host || input !== "model"),
      ),
    }));
    expect(allProblems(cut, catalog).map(({ node, problem }) => [node, problem])).toEqual([
      [host, { kind: "missing", input: "model", label: "model" }],
    ]);
  });

  it("are an input file that is not there", () => {
    const [kind] = [catalog.get("LoadImage")];
    const node: GraphNode = {
      ...loader,
      id: "90",
      type: kind?.id ?? "",
      title: undefined,
      values: { image: "nowhere.png" },
    };
    const add = (image: string): Workflow =>
      onSheet(hello, ROOT, (sheet) => ({
        ...sheet,
        nodes: { ...sheet.nodes, "90": { ...node, values: { image } } },
      }));
    expect(
      allProblems(add("nowhere.png"), catalog).map(({ problem }) => problemText(problem)),
    ).toEqual(["image: nowhere.png is not here; upload it, or choose another picture."]);
    expect(allProblems(add("made.png [output]"), catalog)).toEqual([]);
  });
});
