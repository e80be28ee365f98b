/** Texts that are another one for each seed: `{day|night}` is one of the two, `\{` a mere brace. What
 * stands between slash and star, or behind two slashes, is a comment and never sent.
 *
 * `engine/graph/dynamic_prompts.py` says how choices are made, and makes the same. */

import { inputsOf } from "./dynamic";
import type { Catalog } from "./kinds";
import type { Json, JsonObject } from "./model";
import { SEEDS } from "./old_files";
import type { Prompt } from "./prompt";

/** Without these a text is as it is. */
const SPECIAL = /[{}\\]|\/[/*]/;
const COMMENT = /\/\*[\s\S]*?\*\/|(?<!:)\/\/[^\n]*/g;

/** A choice as it stands in a text, braces included. */
export interface Variant {
  start: number;
  end: number;
}

/** The outermost choices of a text; braces without a bar are text. */
export function variants(text: string): Variant[] {
  const found: Variant[] = [];
  let at = 0;
  while (at < text.length) {
    const choice = choiceAt(text, at);
    if (choice) found.push({ start: at, end: choice.end });
    at = choice?.end ?? at + (text[at] === "\\" ? 2 : 1);
  }
  return found;
}

/** Whole numbers from 0 to below 2 ** 32. */
type Draw = () => number;

/** The numbers by which the choices of one text are made: Mulberry32 from the FNV-1a hash of the
 * prompt's seed, the node's id and the input's name. */
export function numbers(seed: bigint, node: string, input: string): Draw {
  let state = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(`${seed}:${node}:${input}`)) {
    state = Math.imul(state ^ byte, 0x01000193) >>> 0;
  }
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** The text with one option of each choice, without comments. */
export function chosen(text: string, draw: Draw): string {
  if (!SPECIAL.test(text) || isJson(text)) return text;
  return pick(text.replace(COMMENT, ""), draw).replace(/\\([{}|])/g, "$1");
}

/** Whether a text is a list or an object of JSON: some encoders read that. */
function isJson(text: string): boolean {
  if (!/^[ \t\n\r]*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A prompt whose texts have made their choices, by its seed; without one, others in each run. */
export function withChoices(prompt: Prompt, catalog: Catalog): Prompt {
  const made: Prompt = {};
  const seed = seedOf(prompt);
  for (const [id, node] of Object.entries(prompt)) {
    const kind = catalog.get(node.class_type);
    const inputs = { ...node.inputs };
    for (const { name, widget } of kind ? inputsOf(kind, node.inputs) : []) {
      const text = inputs[name];
      if (widget?.kind === "text" && widget.prompt && typeof text === "string") {
        inputs[name] = chosen(text, numbers(seed, id, name));
      }
    }
    made[id] = { ...node, inputs };
  }
  return made;
}

/** The sum of all seeds of a prompt, linked ones by the `value` of the node they come from; one by
 * chance where there is none. */
function seedOf(prompt: Prompt): bigint {
  const seeds = Object.values(prompt).flatMap(({ inputs }) =>
    [...SEEDS].flatMap((name) => whole(sourced(inputs[name], prompt)) ?? []),
  );
  if (seeds.length > 0)
    return BigInt.asUintN(
      64,
      seeds.reduce((sum, seed) => sum + seed),
    );
  return crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n;
}

function sourced(value: Json | undefined, prompt: Prompt): Json | undefined {
  const [node, slot] = Array.isArray(value) && value.length === 2 ? value : [];
  if (typeof node !== "string" || typeof slot !== "number") return value;
  return (prompt[node]?.inputs as JsonObject | undefined)?.value;
}

const whole = (value: Json | undefined): bigint | undefined =>
  typeof value === "bigint" || Number.isInteger(value) ? BigInt(value as number) : undefined;

function pick(text: string, draw: Draw): string {
  let made = "";
  let at = 0;
  while (at < text.length) {
    const choice = choiceAt(text, at);
    if (choice) {
      const option = choice.options[Math.floor((draw() * choice.options.length) / 2 ** 32)] ?? "";
      made += pick(option, draw);
      at = choice.end;
    } else {
      const length = text[at] === "\\" ? 2 : 1;
      made += text.slice(at, at + length);
      at += length;
    }
  }
  return made;
}

/** The choice that begins at a place: its options may hold choices themselves. */
function choiceAt(text: string, start: number): { end: number; options: string[] } | undefined {
  if (text[start] !== "{") return undefined;
  const options: string[] = [];
  let [depth, from] = [0, start + 1];
  for (let at = start; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === "\\") at += 1;
    else if (sign === "{") depth += 1;
    else if (sign === "|" && depth === 1) {
      options.push(text.slice(from, at));
      from = at + 1;
    } else if (sign === "}") {
      depth -= 1;
      if (depth > 0) continue;
      if (options.length === 0) return undefined;
      return { end: at + 1, options: [...options, text.slice(from, at)] };
    }
  }
  return undefined;
}
