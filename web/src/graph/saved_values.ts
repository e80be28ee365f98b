/** Which value of a saved node is which input: widgets are saved in order, with companions. */

import { brought } from "./dynamic";
import type { InputKind, NodeKind } from "./kinds";
import type { AfterRun, GraphNode, Json } from "./model";

const CONTROLS = new Set<Json>(["fixed", "increment", "decrement", "randomize", "increment-wrap"]);
const SEEDS = new Set(["seed", "noise_seed"]);

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

/** Values in widget order by input name; companions (a seed's control, the button of an upload)
 * are told apart. A choice is followed by the inputs that it brings. */
export function readList(saved: readonly Json[], kind: NodeKind): Saved {
  const found: Saved = { values: {}, after: {} };
  let open = widgets(kind.inputs);
  let position = 0;
  while (position < saved.length) {
    const [input, ...rest] = open;
    const value = saved[position];
    if (!input || value === undefined) break;
    found.values[input.name] = value;
    open = [...widgets(exactly(input, value)), ...rest];
    position += 1;
    const companion = saved[position];
    if (companion === undefined || !isCompanion(companion, input, open[0])) continue;
    position += 1;
    if (CONTROLS.has(companion)) {
      const after = companion === "increment-wrap" ? "increment" : companion;
      found.after[input.name] = after as AfterRun;
    }
  }
  return found;
}

/** What a saved choice brings; one that is not there brings nothing. */
const exactly = (input: InputKind, value: Json): InputKind[] =>
  input.variants?.some(({ key }) => key === value) ? brought(input, value) : [];

function isCompanion(value: Json, input: InputKind, following: InputKind | undefined): boolean {
  if (CONTROLS.has(value)) {
    const seed = isSeed(input) || SEEDS.has(input.name);
    return seed || (input.widget?.kind === "number" && !takes(following, value));
  }
  if (input.widget?.kind === "choice" && input.widget.upload) {
    const button = value === "image" || value === "" || value === null || typeof value === "object";
    return button && !takes(following, value);
  }
  return false;
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
