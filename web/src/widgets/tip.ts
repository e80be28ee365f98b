/** What is said of a thing when the pointer rests on it, or it has the focus. */

import type { InputKind, Widget } from "../graph/kinds";
import { t } from "../strings";

/** What is said of a thing. */
export interface Tip {
  /** A sentence of the node's author, if there is one. */
  words: string;
  /** What it takes. */
  facts: string;
}

const w = t.widget.tip;

/** Marks an element as one that a tip belongs to; `Tips` shows it. */
export const tipped = ({ words, facts }: Tip) => ({ "data-tip": words, "data-facts": facts });

/** What is said of an input. */
export function tipOf(input: InputKind): Tip {
  const facts = [input.name, input.type, ...limits(input.widget)];
  if (input.optional && !input.widget) facts.push(w.optional);
  const given = input.default;
  const plain = typeof given !== "object" && given !== undefined && given !== "";
  if (plain && input.widget?.kind !== "choice") facts.push(w.usually(String(given)));
  return { words: input.tooltip ?? "", facts: facts.join(" · ") };
}

function limits(widget: Widget | undefined): string[] {
  if (widget?.kind === "choice") return [w.choices(widget.options.length)];
  if (widget?.kind !== "number") return [];
  const { min, max } = widget;
  const bounded = Number.isFinite(Number(min)) && Number.isFinite(Number(max));
  return bounded ? [w.between(String(min), String(max))] : [];
}
