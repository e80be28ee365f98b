import { expect, inject, it } from "vitest";
import { addNode, newNode } from "../src/graph/edits";
import { EMPTY_SHEET, emptyWorkflow } from "../src/graph/model";
import { toPrompt } from "../src/graph/prompt";
import { readCatalog } from "../src/server/object_info";

const answer = await fetch(`${inject("service")}/object_info`);
const { catalog } = readCatalog(await answer.json());

it("of every kind sends all that it has a widget for", () => {
  for (const kind of catalog.values()) {
    if (kind.editorOnly) continue;
    const root = addNode(EMPTY_SHEET, newNode("1", kind.id, { x: 0, y: 0 }, catalog));
    const sent = Object.keys(toPrompt({ ...emptyWorkflow(), root }, catalog)["1"]?.inputs ?? {});
    const asked = kind.inputs.filter(
      ({ widget, optional }) =>
        widget && !optional && !(widget.kind === "choice" && widget.options.length === 0),
    );
    for (const { name, widget } of asked) {
      if (widget?.kind !== "kept") expect(sent, `${kind.id}.${name}`).toContain(name);
    }
  }
});
