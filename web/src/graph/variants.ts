/** Texts that are another one in each run: `{day|night}` is one of the two, `\{` a mere brace. What
 * stands between slash and star, or behind two slashes, is a comment and never sent. */

import { inputsOf } from "./dynamic";
import type { Catalog } from "./kinds";
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

/** The text with one option of each choice, without comments. */
export function chosen(text: string, random: () => number): string {
  if (!SPECIAL.test(text)) return text;
  return pick(text.replace(COMMENT, ""), random).replace(/\\([{}|])/g, "$1");
}

/** A prompt whose texts have made their choices; each run makes others. */
export function withChoices(prompt: Prompt, catalog: Catalog, random: () => number): Prompt {
  const made: Prompt = {};
  for (const [id, node] of Object.entries(prompt)) {
    const kind = catalog.get(node.class_type);
    const inputs = { ...node.inputs };
    for (const { name, widget } of kind ? inputsOf(kind, node.inputs) : []) {
      const text = inputs[name];
      if (widget?.kind === "text" && widget.prompt && typeof text === "string") {
        inputs[name] = chosen(text, random);
      }
    }
    made[id] = { ...node, inputs };
  }
  return made;
}

function pick(text: string, random: () => number): string {
  let made = "";
  let at = 0;
  while (at < text.length) {
    const choice = choiceAt(text, at);
    if (choice) {
      const option = choice.options[Math.floor(random() * choice.options.length)] ?? "";
      made += pick(option, random);
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
