/** Finding kinds by a few letters. */

import { fitting, type Loose } from "./connect";
import type { Catalog, NodeKind } from "./kinds";

/** What most graphs have, in the order of a graph: where nothing was typed yet, these come first. */
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

/** Kinds that match all words of a query, best first; with a loose link only fitting ones. */
export function search(catalog: Catalog, query: string, loose?: Loose): NodeKind[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const ranked: { kind: NodeKind; rank: number }[] = [];
  for (const kind of catalog.values()) {
    if (loose && fitting(kind, loose) === undefined) continue;
    const rank = words.length > 0 ? score(kind, words) : unasked(kind);
    if (rank !== undefined) ranked.push({ kind, rank: rank + close(kind, loose) });
  }
  ranked.sort(
    (one, other) => one.rank - other.rank || one.kind.title.localeCompare(other.kind.title),
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
  return sockets.some(({ type }) => type === loose.type) ? 0 : 10;
}

/** The rank of a kind before anything was typed. */
function unasked(kind: NodeKind): number | undefined {
  const at = USUAL.indexOf(kind.id);
  return at >= 0 ? at / USUAL.length - 1 : score(kind, []);
}

/** Lower is better; undefined: some word is nowhere. */
function score(kind: NodeKind, words: readonly string[]): number | undefined {
  let total = kind.deprecated ? 50 : 0;
  if (kind.editorOnly) total += 1;
  for (const word of words) {
    const rank = wordRank(kind, word);
    if (rank === undefined) return undefined;
    total += rank;
  }
  return total;
}

function wordRank(kind: NodeKind, word: string): number | undefined {
  const [title, id] = [kind.title.toLowerCase(), kind.id.toLowerCase()];
  if (title === word || id === word) return -1;
  if (title.startsWith(word)) return 0;
  if (id.startsWith(word)) return 1;
  if (title.split(/[\s(/_-]+/).some((part) => part.startsWith(word))) return 2;
  if (kind.aliases.some((alias) => alias.toLowerCase().startsWith(word))) return 3;
  if (title.includes(word) || id.includes(word)) return 4;
  if (kind.category.toLowerCase().includes(word)) return 6;
  if (isSubsequence(word, title)) return 7;
  if (kind.description.toLowerCase().includes(word)) return 8;
  return undefined;
}

/** Whether the letters stand in this order in a text: "ksmp" in "KSampler". */
function isSubsequence(letters: string, text: string): boolean {
  let at = 0;
  for (const letter of letters) {
    at = text.indexOf(letter, at) + 1;
    if (at === 0) return false;
  }
  return true;
}
