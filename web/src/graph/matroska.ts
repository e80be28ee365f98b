/** Texts inside WebM and Matroska films: the tags of RFC 9559, section 5.1.8. */

import { bigEndian, spells, utf8 } from "./bytes";

const SEGMENT = 0x18538067;
const TAGS = 0x1254c367;
const TAG = 0x7373;
const SIMPLE_TAG = 0x67c8;
const NAME = 0x45a3;
const TEXT = 0x4487;
/** Elements that are looked into; the others are passed over. */
const OPENED = new Set([SEGMENT, TAGS, TAG, SIMPLE_TAG]);

const MOST_PARTS = 10_000_000;

/** The texts of a film by name, in small letters; undefined where it is none. */
export function matroskaTexts(data: Uint8Array): Map<string, string> | undefined {
  if (!spells(data, "\x1a\x45\xdf\xa3")) return undefined;
  const texts = new Map<string, string>();
  let name = "";
  for (let at = 0, count = 0; at < data.length && count < MOST_PARTS; count += 1) {
    const id = variable(data, at, true);
    const size = id && variable(data, at + id.bytes, false);
    if (!size) break;
    const begin = at + id.bytes + size.bytes;
    const end = begin + size.value;
    if (id.value === NAME) name = utf8(data.subarray(begin, end)).replace(/\0+$/, "");
    if (id.value === TEXT) texts.set(name.toLowerCase(), utf8(data.subarray(begin, end)));
    // One that was written live does not know its size: its parts follow.
    at = OPENED.has(id.value) || size.unknown ? begin : end;
  }
  return texts;
}

interface Variable {
  value: number;
  bytes: number;
  unknown: boolean;
}

/** A number of as many bytes as zeros stand in front of its first bit, and one; of an id that bit
 * stays. */
function variable(data: Uint8Array, at: number, id: boolean): Variable | undefined {
  const first = data[at] ?? 0;
  const bytes = Math.clz32(first) - 23;
  if (bytes > 8 || at + bytes > data.length) return undefined;
  const [mark, rest] = [2 ** (8 - bytes), bigEndian(data.subarray(at + 1, at + bytes))];
  const head = first % mark;
  const unknown = head === mark - 1 && rest === 2 ** (8 * (bytes - 1)) - 1;
  return { value: (id ? first : head) * 2 ** (8 * (bytes - 1)) + rest, bytes, unknown };
}
