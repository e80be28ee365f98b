/** Finding kinds by a few letters. */

import { fitting, type Loose } from "./connect";
import type { Catalog, NodeKind } from "./kinds";

/** What most graphs have, in the order of a graph: where nothing was typed yet, these come first,
 * and among equally good matches too. */
const USUAL = [
  "CheckpointLoaderSimple",
  "LoadImage",
  "CLIPTextEncode",
  "EmptyLatentImage",
  "KSampler",
  "VAEDecode",
  "VAEEncode",
  "ImageScale",
  "SaveImage",
  "PreviewImage",
  "KokoroLoader",
  "KokoroSpeak",
  "SaveAudio",
  "LoraLoader",
];

/** How well a query fits, the best first: it is the name; the name begins with it; its words begin
 * words of the name in their order; they do in any order, or begin an alias; they are somewhere in
 * the name or the category; they begin words of the name but for one typing error; they are in the
 * description; its letters stand in the title in this order, as "ksmplr" in "KSampler". */
const FITS = [
  "exact",
  "prefix",
  "ordered",
  "words",
  "inside",
  "typo",
  "description",
  "letters",
] as const;
type Fit = (typeof FITS)[number];

/** Beyond any fit: kinds that take anything come after those that take exactly a loose link's type,
 * and kinds that nobody should begin with come after the others. */
const AFTER = 10;
const LAST = 100;

/** Kinds that match all words of a query, best first; with a loose link only fitting ones. Those that
 * are there for old graphs alone are not offered before something was typed. */
export function search(catalog: Catalog, query: string, loose?: Loose): NodeKind[] {
  const words = wordsOf(query);
  const found: { kind: NodeKind; fit: Fit }[] = [];
  for (const kind of catalog.values()) {
    if (loose && fitting(kind, loose) === undefined) continue;
    if (kind.deprecated && words.length === 0) continue;
    const fit = words.length > 0 ? fitOf(kind, words) : "inside";
    if (fit) found.push({ kind, fit });
  }
  // Scattered letters are in many titles: they count only where nothing else was found.
  const read = found.filter(({ fit }) => fit !== "letters");
  const ranked = (read.length > 0 ? read : found).map(({ kind, fit }) => ({
    kind,
    rank: rankOf(kind, fit) + close(kind, loose),
  }));
  ranked.sort(
    (one, other) =>
      one.rank - other.rank ||
      usualAt(one.kind) - usualAt(other.kind) ||
      (words.length > 0 ? one.kind.title.length - other.kind.title.length : 0) ||
      one.kind.title.localeCompare(other.kind.title),
  );
  return ranked.map(({ kind }) => kind);
}

/** Those of some ids that match all words of a query, the likeliest first: nodes that are looked
 * for and are not there. */
export function searchIds(ids: Iterable<string>, query: string): string[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const found = [...ids].filter((id) => words.every((word) => id.toLowerCase().includes(word)));
  const rank = (id: string): number => id.toLowerCase().indexOf(words[0] ?? "");
  return found.sort((one, other) => rank(one) - rank(other) || one.localeCompare(other));
}

/** Kinds that take exactly this type come before those that take anything. */
function close(kind: NodeKind, loose: Loose | undefined): number {
  if (!loose) return 0;
  const sockets =
    loose.side === "output" ? kind.inputs.filter(({ widget }) => !widget) : kind.outputs;
  return sockets.some(({ type }) => type === loose.type) ? 0 : AFTER;
}

const usualAt = ({ id }: NodeKind): number => {
  const at = USUAL.indexOf(id);
  return at < 0 ? USUAL.length : at;
};

/** Lower is better. Of what begins with a word, or has it as a word, the usual comes first, but
 * never before an exact name. */
function rankOf(kind: NodeKind, fit: Fit): number {
  if (fit === "exact") return -1;
  const usual = usualAt(kind) < USUAL.length ? 1 : 0;
  return FITS.indexOf(fit) - usual + (kind.editorOnly ? 0.5 : 0) + (kind.deprecated ? LAST : 0);
}

/** undefined: some word is nowhere. */
function fitOf(kind: NodeKind, words: readonly string[]): Fit | undefined {
  const whole = words.join("");
  const names = namesOf(kind);
  if (names.some((name) => name.whole === whole)) return "exact";
  if (names.some((name) => name.whole.startsWith(whole))) return "prefix";
  if (names.some((name) => inOrder(words, name.words))) return "ordered";
  const parts = names.flatMap((name) => name.words);
  const aliases = kind.aliases.flatMap(partsOf);
  const every = (test: (word: string) => boolean): boolean => words.every(test);
  const begins = (word: string): boolean =>
    [...parts, ...aliases].some((part) => part.startsWith(word));
  if (every(begins)) return "words";
  const text = [...names.map((name) => name.whole), kind.category.toLowerCase()].join("\n");
  const isInside = (word: string): boolean => text.includes(word);
  if (every((word) => begins(word) || isInside(word))) return "inside";
  const wholes = names.map((name) => name.whole);
  const isNearly = (word: string): boolean =>
    begins(word) || [...parts, ...wholes].some((part) => beginsNearly(word, part));
  if (every(isNearly)) return "typo";
  const description = kind.description.toLowerCase();
  const isTold = (word: string): boolean =>
    begins(word) || isInside(word) || description.includes(word);
  if (every(isTold)) return "description";
  return isSubsequence(whole, names[0]?.whole ?? "") ? "letters" : undefined;
}

interface Name {
  /** Without what is between its words. */
  whole: string;
  words: readonly string[];
}

/** Made once for each kind, since every letter that is typed asks. */
const NAMES = new WeakMap<NodeKind, readonly Name[]>();

function namesOf(kind: NodeKind): readonly Name[] {
  const known = NAMES.get(kind);
  if (known) return known;
  const names = [kind.title, kind.id].map((name) => ({
    whole: wordsOf(name).join(""),
    words: partsOf(name),
  }));
  NAMES.set(kind, names);
  return names;
}

const wordsOf = (text: string): string[] =>
  text
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean);

/** Words of a name, of names written together too: "KSampler" has "ksampler" and "sampler". */
function partsOf(name: string): string[] {
  const humps = name.replace(/(\p{Ll}|\p{N})(?=\p{Lu})|(\p{Lu})(?=\p{Lu}\p{Ll})/gu, "$& ");
  const apart = wordsOf(humps);
  const together = wordsOf(name).filter((word) => !apart.includes(word));
  return [...apart, ...together];
}

/** Whether words begin others one after the other, with others in between or not. */
function inOrder(words: readonly string[], parts: readonly string[]): boolean {
  let at = 0;
  for (const word of words) {
    while (at < parts.length && !parts[at]?.startsWith(word)) at += 1;
    if (at === parts.length) return false;
    at += 1;
  }
  return true;
}

/** Of fewer letters another letter is another word. */
const FORGIVEN = 4;

/** Whether a text begins with a word but for one letter too many, too few or another, or two that
 * changed places. */
function beginsNearly(word: string, text: string): boolean {
  if (word.length < FORGIVEN) return false;
  const at = [...word].findIndex((letter, place) => letter !== text[place]);
  if (at < 0) return true;
  const rest = word.slice(at + 1);
  const swapped = word[at] === text[at + 1] && word[at + 1] === text[at];
  return (
    text.slice(at).startsWith(rest) ||
    text.slice(at + 1).startsWith(rest) ||
    text.slice(at + 1).startsWith(word.slice(at)) ||
    (swapped && text.slice(at + 2).startsWith(word.slice(at + 2)))
  );
}

/** Whether the letters stand in this order in a text. */
function isSubsequence(letters: string, text: string): boolean {
  let at = 0;
  for (const letter of letters) {
    at = text.indexOf(letter, at) + 1;
    if (at === 0) return false;
  }
  return true;
}
