/** What a result was made of: the values of the nodes that lead to it, the telling ones first. */

import { inputsOf } from "./dynamic";
import type { Catalog, Widget } from "./kinds";
import type { Json } from "./model";
import { isPrompt } from "./prompt";

/** A value that went into a result, and where it stood. */
export interface Value {
  /** Of the node, for people. */
  title: string;
  input: string;
  text: string;
}

/** What a result was made of. */
export interface Recipe {
  /** What somebody wrote. */
  texts: Value[];
  seeds: Value[];
  models: Value[];
  /** Names in the input folder. */
  files: { name: string; kind: "image" | "audio" | "video" }[];
  /** All nodes with all their values, those next to the result first. */
  nodes: { id: string; title: string; values: Value[] }[];
}

const MODEL = /\.(safetensors|sft|ckpt|pt|pth|bin|onnx|gguf)$/i;
const MODEL_INPUT = /^(ckpt|lora|vae|clip|unet|model|voice|control_net|style_model)(_name)?\d*$/;

/** The recipe of what a node of a prompt showed; undefined where that is no prompt. */
export function recipeOf(prompt: unknown, node: string, catalog: Catalog): Recipe | undefined {
  if (!isPrompt(prompt)) return undefined;
  const recipe: Recipe = { texts: [], seeds: [], models: [], files: [], nodes: [] };
  for (const id of leading(prompt, node)) {
    const { class_type: type, inputs, _meta: meta } = prompt[id] as Record<string, Json>;
    const kind = catalog.get(String(type));
    const given = isRecord(inputs) ? inputs : {};
    const title = (isRecord(meta) && String(meta.title ?? "")) || (kind?.title ?? String(type));
    const known = kind ? inputsOf(kind, given) : [];
    const values: Value[] = [];
    for (const [input, value] of Object.entries(given)) {
      if (isLink(value, prompt)) continue;
      const found = { title, input, text: textOf(value) };
      values.push(found);
      sort(recipe, known.find(({ name }) => name === input)?.widget, found);
    }
    recipe.nodes.push({ id, title, values });
  }
  return recipe;
}

/** What stands otherwise in one of two recipes. */
export type Difference =
  | { kind: "value"; title: string; input: string; left?: string; right?: string }
  /** A node that only one of them has. */
  | { kind: "left" | "right"; title: string };

/** How two results were made differently, what is nearest to them first. Nodes are the same by id
 * and title, or else by a title that no other one has. */
export function differences(left: Recipe, right: Recipe): Difference[] {
  const pairs = paired(left.nodes, right.nodes);
  const taken = new Set(pairs.values());
  const values = [...pairs].flatMap(([one, other]) => between(one, other));
  const gone = left.nodes.filter((node) => !pairs.has(node));
  const added = right.nodes.filter((node) => !taken.has(node));
  return [
    ...values,
    ...gone.map(({ title }): Difference => ({ kind: "left", title })),
    ...added.map(({ title }): Difference => ({ kind: "right", title })),
  ];
}

type RecipeNode = Recipe["nodes"][number];

function paired(left: RecipeNode[], right: RecipeNode[]): Map<RecipeNode, RecipeNode> {
  const found = new Map<RecipeNode, RecipeNode>();
  for (const one of left) {
    const other = right.find(({ id, title }) => id === one.id && title === one.title);
    if (other) found.set(one, other);
  }
  const taken = new Set(found.values());
  for (const one of left.filter((node) => !found.has(node))) {
    const named = right.filter((node) => node.title === one.title && !taken.has(node));
    const same = left.filter((node) => node.title === one.title && !found.has(node));
    if (named[0] && named.length === 1 && same.length === 1) found.set(one, named[0]);
  }
  return found;
}

function between(left: RecipeNode, right: RecipeNode): Difference[] {
  const text = (node: RecipeNode, input: string): string | undefined =>
    node.values.find((value) => value.input === input)?.text;
  const inputs = new Set([...left.values, ...right.values].map(({ input }) => input));
  return [...inputs].flatMap((input): Difference[] => {
    const [one, other] = [text(left, input), text(right, input)];
    if (one === other) return [];
    return [{ kind: "value", title: right.title, input, left: one, right: other }];
  });
}

function sort(recipe: Recipe, widget: Widget | undefined, value: Value): void {
  const { input, text } = value;
  if (widget?.kind === "choice" && widget.upload) {
    recipe.files.push({ name: text, kind: widget.upload });
  } else if (widget?.kind === "choice" && (MODEL_INPUT.test(input) || MODEL.test(text))) {
    recipe.models.push(value);
  } else if (widget?.kind === "number" && widget.seed) {
    recipe.seeds.push(value);
  } else if (widget?.kind === "text" && widget.multiline && text.trim()) {
    recipe.texts.push(value);
  }
}

/** A node and all that lead to it, nearest first; all there are where it is unknown. */
function leading(prompt: Record<string, unknown>, node: string): string[] {
  const outer = node.split(":")[0] ?? node;
  const first = [node, outer].find((id) => id in prompt);
  if (first === undefined) return Object.keys(prompt);
  const found = new Set([first]);
  for (const id of found) {
    const inputs = (prompt[id] as { inputs?: unknown }).inputs;
    for (const value of Object.values(isRecord(inputs) ? inputs : {})) {
      if (isLink(value, prompt)) found.add(value[0]);
    }
  }
  return [...found];
}

function isLink(value: unknown, prompt: Record<string, unknown>): value is [string, number] {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    typeof value[0] === "string" &&
    value[0] in prompt &&
    typeof value[1] === "number"
  );
}

const isRecord = (value: unknown): value is Record<string, Json> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function textOf(value: Json): string {
  if (typeof value !== "object" || value === null) return String(value);
  return JSON.stringify(value, (_, part) => (typeof part === "bigint" ? String(part) : part));
}
