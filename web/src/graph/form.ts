/** What of a graph a form asks for: first what one mostly changes, the rest as settings. */

import { inputsOf } from "./dynamic";
import { type Catalog, type InputKind, isEditorOnly, titleOf } from "./kinds";
import { type GraphNode, linkedInputs, ordered, type Workflow } from "./model";

export interface FormPart {
  node: GraphNode;
  title: string;
  /** Words, seeds, pictures and sounds. */
  first: InputKind[];
  settings: InputKind[];
}

export function formOf(workflow: Workflow, catalog: Catalog): FormPart[] {
  return ordered(workflow.root).flatMap((node) => {
    const kind = catalog.get(node.type);
    if (!kind || node.mode !== "run" || isEditorOnly(node.type)) return [];
    const linked = linkedInputs(workflow.root, node.id);
    const open = inputsOf(kind, node.values, linked).filter(
      ({ name, widget }) => widget && widget.kind !== "kept" && !linked.has(name),
    );
    if (open.length === 0) return [];
    const title = titleOf(workflow, node, catalog);
    return [
      { node, title, first: open.filter(isFirst), settings: open.filter((one) => !isFirst(one)) },
    ];
  });
}

function isFirst({ widget }: InputKind): boolean {
  switch (widget?.kind) {
    case "text":
      return widget.multiline;
    case "number":
      return widget.seed;
    case "choice":
      return widget.upload !== undefined;
    default:
      return false;
  }
}

/** The nodes whose results a form shows. */
export function showing(workflow: Workflow, catalog: Catalog): GraphNode[] {
  return ordered(workflow.root).filter(
    ({ type, mode }) => mode === "run" && catalog.get(type)?.shows,
  );
}
