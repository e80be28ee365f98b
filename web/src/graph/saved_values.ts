/** Which value of a saved node is which input: widgets are saved in order, with companions. */

import { brought } from "./dynamic";
import type { InputKind, NodeKind } from "./kinds";
import type { AfterRun, GraphNode, Json } from "./model";
import { controlOf, hasControl, isButton, isControl } from "./old_files";

/** Values of a node by input name, and what happens to numbers after a run. */
export interface Saved {
  values: Record<string, Json>;
  after: Record<string, AfterRun>;
}

/** In the order in which files have them: the required ones, then the optional ones. */
function widgets(inputs: readonly InputKind[]): InputKind[] {
  const all = inputs.filter((input) => input.widget);
  return [...all.filter((input) => !input.optional), ...all.filter((input) => input.optional)];
}

/** Values in widget order by input name. */
export function readList(saved: readonly Json[], kind: NodeKind): Saved {
  const found: Saved = { values: {}, after: {} };
  let last: string | undefined;
  for (const [position, { name, control }] of places(saved, kind).entries()) {
    const value = saved[position] ?? null;
    if (name !== last) found.values[name] = value;
    else if (control) found.after[name] = controlOf(value);
    last = name;
  }
  return found;
}

/** The input that each of a list of values belongs to; values too many belong to none.
 *
 * Companions (a seed's control, the button of an upload) belong to the input before them. A choice
 * is followed by the inputs that it brings. */
export function places(
  saved: readonly Json[],
  kind: NodeKind,
): { name: string; control: boolean }[] {
  const found: { name: string; control: boolean }[] = [];
  let open = widgets(kind.inputs);
  while (found.length < saved.length) {
    const [input, ...rest] = open;
    if (!input) break;
    open = [...widgets(exactly(input, saved[found.length] ?? null)), ...rest];
    const control = input.widget?.kind !== "choice";
    found.push({ name: input.name, control });
    if (found.length < saved.length && isCompanion(saved, found.length, input, open)) {
      found.push({ name: input.name, control });
    }
  }
  return found;
}

/** What a saved choice brings; one that is not there brings nothing. */
const exactly = (input: InputKind, value: Json): InputKind[] =>
  input.variants?.some(({ key }) => key === value) ? brought(input, value) : [];

/** Whether what stands behind an input's value is its companion, not the next one's value.
 *
 * Of a seed that is a control: a word, or in files of earlier years true, false, null or anything
 * else; then the rest of the values shows which of the two it is. */
function isCompanion(
  saved: readonly Json[],
  place: number,
  input: InputKind,
  open: readonly InputKind[],
): boolean {
  const value = saved[place] ?? null;
  if (isControl(value)) {
    return hasControl(input) || (input.widget?.kind === "number" && !takes(open[0], value));
  }
  if (hasControl(input)) return misfits(saved, place + 1, open) < misfits(saved, place, open);
  if (input.widget?.kind === "choice" && input.widget.upload) {
    return isButton(value) && !takes(open[0], value);
  }
  return false;
}

/** How many of the values from a place on are no values of these widgets, one after another. */
function misfits(saved: readonly Json[], from: number, inputs: readonly InputKind[]): number {
  let [open, place, count] = [[...inputs], from, 0];
  for (let input = open.shift(); input && place < saved.length; input = open.shift()) {
    const value = saved[place] ?? null;
    open = [...widgets(exactly(input, value)), ...open];
    if (!mayBe(value, input)) count += 1;
    place += 1;
    if (place >= saved.length || !hasControl(input)) continue;
    const behind = saved[place] ?? null;
    if (behind === null || typeof behind === "boolean" || isControl(behind)) place += 1;
  }
  return count + saved.length - place;
}

/** Whether a value is of the kind that a widget has; null is of any. */
function mayBe(value: Json, { widget, type }: InputKind): boolean {
  if (value === null) return true;
  const number = typeof value === "number" || typeof value === "bigint";
  switch (widget?.kind) {
    case "choice":
      return (
        typeof value === "string" || !widget.options.every((option) => typeof option === "string")
      );
    case "text":
      return typeof value === "string";
    case "toggle":
      return typeof value === "boolean";
    case "number":
      if (!number) return false;
      return type.includes("FLOAT") || typeof value === "bigint" || Number.isInteger(value);
    default:
      return true;
  }
}

const isSeed = (input: InputKind): boolean => input.widget?.kind === "number" && input.widget.seed;

/** Whether a word may be meant for this widget. */
function takes(input: InputKind | undefined, value: Json): boolean {
  if (!input?.widget || typeof value !== "string") return false;
  if (input.widget.kind === "choice") {
    return input.widget.upload !== undefined || input.widget.options.includes(value);
  }
  return input.widget.kind === "text" && value !== "image";
}

/** The list that files have for a node, and the values that are in no list. */
export function writeList(
  node: GraphNode,
  kind: NodeKind,
): { list: Json[]; named: Record<string, Json> } {
  const list: Json[] = [];
  const listed = new Set<string>();
  let open = widgets(kind.inputs);
  for (let [input] = open; input; [input] = open) {
    const value = node.values[input.name] ?? input.default ?? null;
    list.push(value);
    listed.add(input.name);
    if (isSeed(input)) list.push(node.after[input.name] ?? "fixed");
    else if (input.widget?.kind === "choice" && input.widget.upload === "image") list.push("image");
    open = [...widgets(exactly(input, value)), ...open.slice(1)];
  }
  const named = Object.fromEntries(
    Object.entries(node.values).filter(([name]) => !listed.has(name)),
  );
  return { list, named };
}
