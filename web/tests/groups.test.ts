import { describe, expect, inject, it } from "vitest";
import { withoutGroups } from "../src/graph/groups";
import { toPrompt } from "../src/graph/prompt";
import { fromEditor } from "../src/graph/read_editor";
import { readCatalog } from "../src/server/object_info";

const service = inject("service");
const { catalog } = readCatalog(await (await fetch(`${service}/object_info`)).json());

const image = (name: string, link: number | null = null) => ({ name, type: "IMAGE", link });
const links = (...ids: number[]) => ({ links: ids });
/** Two inverters in a row; the second one is also shown. */
const GROUP = {
  nodes: [
    { index: 0, type: "ImageInvert", inputs: [image("image")], outputs: [image("IMAGE")] },
    {
      index: 1,
      type: "ImageScaleBy",
      title: "Grow",
      inputs: [image("image")],
      outputs: [image("IMAGE")],
      widgets_values: ["nearest-exact", 2],
    },
  ],
  links: [
    [null, 0, 0, 0, 9, "IMAGE"],
    [0, 0, 1, 0, 8, "IMAGE"],
  ],
  external: [[0, 0, "IMAGE"]],
};

function file(type: string, values: unknown[], given = "image", kind = "IMAGE") {
  const outputs = [
    { name: "IMAGE", type: "IMAGE", ...links(2) },
    { name: "Grow IMAGE", type: "IMAGE", ...links(3) },
  ];
  return {
    version: 0.4,
    nodes: [
      { id: 1, type: "EmptyImage", widgets_values: [64, 64, 1, 0], outputs: [links(1)] },
      {
        id: 2,
        type,
        inputs: [{ ...image(given, 1), type: kind }],
        outputs,
        widgets_values: values,
      },
      { id: 3, type: "PreviewImage", inputs: [image("images", 2)] },
      { id: 4, type: "PreviewImage", inputs: [image("images", 3)] },
    ],
    links: [
      [1, 1, 0, 2, 0, "IMAGE"],
      [2, 2, 0, 3, 0, "IMAGE"],
      [3, 2, 1, 4, 0, "IMAGE"],
    ],
    extra: { groupNodes: { Pair: GROUP } },
  };
}

describe("an old group node", () => {
  it.each(["workflow>Pair", "workflow/Pair"])(
    "%s is sent as the service sends it",
    async (type) => {
      const document = file(type, ["bilinear", 3]);
      const body = JSON.stringify(document);
      const answer = await fetch(`${service}/workflow/convert`, { method: "POST", body });
      const prompt = toPrompt(fromEditor(document, catalog), catalog);
      expect(prompt).toEqual(await answer.json());
      expect(prompt["2:1"]?.inputs).toMatchObject({ upscale_method: "bilinear", scale_by: 3 });
      expect(prompt["3"]?.inputs.images).toEqual(["2:0", 0]);
    },
  );

  it("has its nodes' values where it saved none", () => {
    const prompt = toPrompt(fromEditor(file("workflow>Pair", []), catalog), catalog);
    expect(prompt["2:1"]?.inputs).toMatchObject({ scale_by: 2 });
  });

  it("is refused with words where it does not fit its group", () => {
    expect(() => fromEditor(file("workflow>Pair", [1]), catalog)).toThrow(
      "Node 2 (workflow>Pair): its 1 widget values are not those of the nodes inside.",
    );
    expect(() => fromEditor(file("workflow>Pair", [], "power", "INT"), catalog)).toThrow(
      "Node 2 (workflow>Pair): no node inside has its input power.",
    );
  });

  it("whose group is not there stays, and no other file is touched", () => {
    const lost = file("workflow>Lost", []);
    expect(fromEditor(lost, catalog).root.nodes["2"]?.type).toBe("workflow>Lost");
    for (const other of [null, 5, {}, { nodes: [] }])
      expect(withoutGroups(other, catalog)).toBe(other);
  });
});
