/** What would keep a graph from running, found before the service is asked. */

import { inputsOf } from "./dynamic";
import { type Catalog, isEditorOnly, isNote, type NodeKind, type Widget } from "./kinds";
import type { GraphNode, Json, Sheet, Workflow } from "./model";

export type Problem =
  | { kind: "unknown"; type: string }
  | { kind: "missing"; input: string }
  | { kind: "option"; input: string; value: Json }
  | { kind: "range"; input: string; value: number; min: number; max: number }
  | { kind: "number"; input: string; value: Json };

/** Problems by node id; nodes that do not run have none. */
export function problems(
  workflow: Workflow,
  sheet: Sheet,
  catalog: Catalog,
): Map<string, Problem[]> {
  const linked = new Map<string, Set<string>>();
  for (const link of Object.values(sheet.links)) {
    const inputs = linked.get(link.to) ?? new Set<string>();
    linked.set(link.to, inputs.add(link.input));
  }
  const found = new Map<string, Problem[]>();
  for (const node of Object.values(sheet.nodes)) {
    if (node.mode !== "run" || isNote(node.type) || workflow.subgraphs[node.type]) continue;
    const kind = catalog.get(node.type);
    if (!kind && isEditorOnly(node.type)) continue;
    const list = kind
      ? ofInputs(node, kind, linked.get(node.id) ?? new Set())
      : [{ kind: "unknown" as const, type: node.type }];
    if (list.length > 0) found.set(node.id, list);
  }
  return found;
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
    return known ? undefined : { kind: "option", input, value };
  }
  if (widget.kind !== "number") return undefined;
  const number = Number(value);
  if (Number.isNaN(number) || typeof value === "object") return { kind: "number", input, value };
  const { min, max } = widget;
  return number < min || number > max
    ? { kind: "range", input, value: number, min, max }
    : undefined;
}
