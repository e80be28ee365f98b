/** Weights in a prompt, read as the service does (nodes/models/text/prompt_weights.py): `(word)` is
 * 1.1 times as strong, `(word:1.3)` 1.3 times; `\(` is a mere bracket. */

/** A part of a prompt that weighs the same all through. */
export interface Piece {
  start: number;
  end: number;
  weight: number;
  /** Words; a file of vectors; brackets, colons and numbers; or a choice for the editor. */
  kind: "words" | "embedding" | "mark" | "variant";
}

const STRONGER = 1.1;
const PIECES = /\\[()]|[()]|[^()\\]+|\\/g;
const DIGITS = "\\d+(?:_\\d+)*";
const NUMBER = new RegExp(
  `^\\s*[+-]?(?:${DIGITS}(?:\\.(?:${DIGITS})?)?|\\.${DIGITS})(?:[eE][+-]?${DIGITS})?\\s*$`,
);
const EMBEDDING = /(?<![^ \n])embedding:[^ \n]+/g;

/** A prompt cut where its weight or its meaning changes; together the pieces are all of it. */
export function pieces(prompt: string): Piece[] {
  const found: Piece[] = [];
  const put = (start: number, end: number, weight: number, kind: Piece["kind"]): void => {
    if (end > start) found.push({ start, end, weight, kind });
  };
  const closing = pairs(prompt);
  /** The levels that are open, outermost first: what closes them, and what they weigh. */
  const open: { inner: number; close: number; weight: number }[] = [];
  let [at, weight, from] = [0, 1, 0];
  const words = (to: number): void => {
    for (const part of named(prompt, from, to)) put(part.start, part.end, weight, part.kind);
  };
  while (at < prompt.length) {
    const level = open.at(-1);
    if (level && at === level.inner) {
      words(at);
      put(at, level.close + 1, weight, "mark");
      open.pop();
      weight = open.at(-1)?.weight ?? 1;
      at = level.close + 1;
      from = at;
    } else if (closing.has(at)) {
      const close = closing.get(at) ?? at;
      words(at);
      put(at, at + 1, weight, "mark");
      const { inner, factor } = numbered(prompt, at + 1, close);
      weight = factor ?? weight * STRONGER;
      open.push({ inner, close, weight });
      at += 1;
      from = at;
    } else at += 1;
  }
  words(prompt.length);
  return found;
}

/** Where each bracket with a meaning closes: a run of words that begins with an opening and ends
 * with a closing one. Brackets without a partner count too: after a `)` too many the next `(`
 * closes that, and a `(` too many closes with the text if that ends in `)`. */
function pairs(prompt: string): Map<number, number> {
  const found = new Map<number, number>();
  const levels: Selection[] = [{ start: 0, end: prompt.length }];
  for (let level = levels.pop(); level; level = levels.pop()) {
    for (const { start, end } of brackets(prompt, level)) {
      found.set(start, end);
      levels.push({ start: start + 1, end: numbered(prompt, start + 1, end).inner });
    }
  }
  return found;
}

/** The outermost brackets of a part of a prompt: where they open and close. */
function brackets(prompt: string, { start, end }: Selection): Selection[] {
  const found: Selection[] = [];
  let [depth, opened, closed] = [0, -1, -1];
  const ended = (): void => {
    if (opened >= 0 && closed > opened) found.push({ start: opened, end: closed });
    [opened, closed] = [-1, -1];
  };
  for (const { 0: piece, index } of prompt.slice(start, end).matchAll(PIECES)) {
    if (piece === "(") depth += 1;
    else if (piece === ")") depth -= 1;
    if (piece === "(" && depth === 1) {
      ended();
      opened = start + index;
    }
    closed = piece === ")" ? start + index : -1;
    if (piece === ")" && depth === 0) ended();
  }
  ended();
  return found;
}

/** Where the words of brackets end, and the weight that a number after their last colon says. */
function numbered(
  prompt: string,
  start: number,
  close: number,
): { inner: number; factor?: number } {
  const colon = prompt.lastIndexOf(":", close - 1);
  if (colon <= start) return { inner: close };
  const after = prompt.slice(colon + 1, close);
  const factor = NUMBER.test(after) ? Number(after.replaceAll("_", "")) : Number.NaN;
  return Number.isFinite(factor) ? { inner: colon, factor } : { inner: close };
}

function named(prompt: string, start: number, end: number): Omit<Piece, "weight">[] {
  const found: Omit<Piece, "weight">[] = [];
  let at = start;
  for (const match of prompt.slice(start, end).matchAll(EMBEDDING)) {
    const from = start + match.index;
    found.push({ start: at, end: from, kind: "words" });
    at = from + match[0].length;
    found.push({ start: from, end: at, kind: "embedding" });
  }
  return [...found, { start: at, end, kind: "words" }];
}

/** A part of a text, by its first character and the one after its last. */
export interface Selection {
  start: number;
  end: number;
}

/** A prompt in which the selection, or the word at the caret, weighs more or less by `step`. */
export function weighed(
  prompt: string,
  { start, end }: Selection,
  step: number,
): { replaced: Selection; by: string; selection: Selection } | undefined {
  const group = around(prompt, start, end);
  if (group) {
    const { inner, factor } = numbered(prompt, group.start + 1, group.end);
    const words = prompt.slice(group.start + 1, inner);
    const replaced = { start: group.start, end: group.end + 1 };
    return written(words, (factor ?? STRONGER) + step, replaced);
  }
  const picked = start === end ? wordAt(prompt, start) : trimmed(prompt, start, end);
  if (picked.start === picked.end) return undefined;
  const words = prompt.slice(picked.start, picked.end);
  // Half a pair of brackets cannot be put into brackets.
  return isWhole(words) ? written(words, 1 + step, picked) : undefined;
}

function written(words: string, factor: number, replaced: Selection) {
  const weight = Number(factor.toFixed(2));
  const plain = weight === 1;
  const by = plain ? words : `(${words}:${weight})`;
  const begin = replaced.start + (plain ? 0 : 1);
  return { replaced, by, selection: { start: begin, end: begin + words.length } };
}

/** The innermost brackets whose words are the selection, or that hold the caret. */
function around(prompt: string, start: number, end: number): Selection | undefined {
  let best: Selection | undefined;
  for (const [open, close] of pairs(prompt)) {
    const { inner } = numbered(prompt, open + 1, close);
    const holds =
      start === end
        ? open < start && start <= close
        : (open === start && close + 1 === end) || (open + 1 === start && inner === end);
    if (holds && (!best || open > best.start)) best = { start: open, end: close };
  }
  return best;
}

/** What parts words: white space, commas, and all that has a meaning. */
const WORD_BEFORE = /[^\s,()[\]{}|:\\]*$/;
const WORD_AFTER = /^[^\s,()[\]{}|:\\]*/;

function wordAt(prompt: string, at: number): Selection {
  const before = WORD_BEFORE.exec(prompt.slice(0, at))?.[0].length ?? 0;
  const after = WORD_AFTER.exec(prompt.slice(at))?.[0].length ?? 0;
  return { start: at - before, end: at + after };
}

function trimmed(prompt: string, start: number, end: number): Selection {
  const words = prompt.slice(start, end);
  const from = start + words.length - words.trimStart().length;
  return { start: from, end: Math.max(from, start + words.trimEnd().length) };
}

/** Whether each bracket in a text has its partner there. */
function isWhole(text: string): boolean {
  const single = [...text.matchAll(PIECES)].filter(([piece]) => piece === "(" || piece === ")");
  return pairs(text).size * 2 === single.length;
}
