import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addNode, newNode, remove } from "../src/graph/edits";
import { emptyWorkflow, freshId, type Workflow } from "../src/graph/model";
import { fromEditor } from "../src/graph/read_editor";
import { toEditor } from "../src/graph/write_editor";
import { tabNow, useDocuments } from "../src/stores/documents";

const NONE = new Map();
const documents = () => useDocuments.getState();
const present = (): Workflow => tabNow()?.history.present ?? emptyWorkflow();
/** Opened as it would be from its own file. */
const reopened = (workflow: Workflow): Workflow =>
  fromEditor(JSON.parse(JSON.stringify(toEditor(workflow, NONE))), NONE);

function open(workflow: Workflow): void {
  documents().close(workflow.id);
  documents().open(workflow, "ids");
}

function add(): string {
  const { root, lastNode } = present();
  const id = freshId(root.nodes, lastNode);
  documents().editSheet("add", (sheet) =>
    addNode(sheet, newNode(id, "Note", { x: 0, y: 0 }, NONE)),
  );
  return id;
}

describe("the number of a new node", () => {
  it("is one that no node of the document ever had, through undo, deletion and its file", () => {
    const step = fc.constantFrom("add", "undo", "redo", "remove", "file");
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        open(emptyWorkflow());
        const had = new Set<string>();
        for (const what of steps) {
          if (what === "undo") documents().undo();
          else if (what === "redo") documents().redo();
          else if (what === "file") open(reopened(present()));
          else if (what === "remove") {
            const last = Object.keys(present().root.nodes).at(-1) ?? "";
            documents().editSheet("remove", (sheet) => remove(sheet, new Set([last])));
          } else {
            const id = add();
            expect(had).not.toContain(id);
            had.add(id);
          }
        }
      }),
    );
  });
});
