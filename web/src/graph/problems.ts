/** What would keep a graph from running, found before the service is asked. */

import { inputsOf } from "./dynamic";
import { type Catalog, type Folded, isEditorOnly, type NodeKind, type Widget } from "./kinds";
import { type GraphNode, type Json, linkedInputs, type Sheet } from "./model";
import { type Numeric, numeric } from "./numbers";

/** What is wrong with a node. */
export type Problem =
  | { kind: "unknown"; type: string }
  | { kind: "missing"; input: string }
  /** `model`: the choice is of files, and the one that is named is not there. */
  | { kind: "option"; input: string; value: Json; model: boolean }
  | { kind: "range"; input: string; value: Numeric; min: Numeric; max: Numeric }
  | { kind: "number"; input: string; value: Json };

/** Problems by node id; nodes that do not run have none. */
export function problems(workflow: Folded, sheet: Sheet, catalog: Catalog): Map<string, Problem[]> {
  const found = new Map<string, Problem[]>();
  for (const node of Object.values(sheet.nodes)) {
    const list = problemsOf(workflow, node, catalog, linkedInputs(sheet, node.id));
    if (list.length > 0) found.set(node.id, list);
  }
  return found;
}

/** What is wrong with one node, of which some inputs have a link. */
export function problemsOf(
  workflow: Folded,
  node: GraphNode,
  catalog: Catalog,
  linked: ReadonlySet<string>,
): Problem[] {
  if (node.mode !== "run" || workflow.subgraphs[node.type]) return [];
  const kind = catalog.get(node.type);
  if (kind) return ofInputs(node, kind, linked);
  return isEditorOnly(node.type) ? [] : [{ kind: "unknown", type: node.type }];
}

/** Kinds of widgets that may be left empty. */
const FREE = new Set<string | undefined>(["text", "kept"]);

function ofInputs(node: GraphNode, kind: NodeKind, linked: ReadonlySet<string>): Problem[] {
  if (kind.editorOnly) return [];
  return inputsOf(kind, node.values, linked).flatMap((input): Problem[] => {
    if (linked.has(input.name)) return [];
    const value = node.values[input.name] ?? (input.widget ? input.default : undefined);
    if (value === undefined || value === null) {
      return input.optional || FREE.has(input.widget?.kind)
        ? []
        : [{ kind: "missing", input: input.name }];
    }
    const problem = input.widget && ofValue(input.name, value, input.widget);
    return problem ? [problem] : [];
  });
}

function ofValue(input: string, value: Json, widget: Widget): Problem | undefined {
  if (widget.kind === "choice" && !widget.upload) {
    const known = widget.options.some((option) => option === value);
    const model = widget.models !== undefined;
    return known ? undefined : { kind: "option", input, value, model };
  }
  if (widget.kind !== "number") return undefined;
  const number = numeric(value);
  if (Number.isNaN(number)) return { kind: "number", input, value };
  const { min, max } = widget;
  return number < min || number > max
    ? { kind: "range", input, value: number, min, max }
    : undefined;
}
