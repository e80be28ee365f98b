/** Texts inside files of boxes (ISO/IEC 14496-12): what MP4 and QuickTime films say of themselves,
 * the XMP packet of AVIF and HEIF pictures. */

import { bigEndian, type Chunk, joined, latin, letters, spells, utf8 } from "./bytes";

/** Of a box; more than a film has, and few enough to look at. */
const MOST_PARTS = 100_000;

function* boxes(data: Uint8Array): Generator<Chunk> {
  for (let at = 0, count = 0; at + 8 <= data.length && count < MOST_PARTS; count += 1) {
    const short = bigEndian(data.subarray(at, at + 4));
    const head = short === 1 ? 16 : 8;
    const size = short === 1 ? bigEndian(data.subarray(at + 8, at + 16)) : short;
    const end = short === 0 ? data.length : at + size;
    if (end < at + head) return;
    yield { type: letters(data.subarray(at + 4, at + 8)), body: data.subarray(at + head, end) };
    at = end;
  }
}

/** The bodies of the boxes at the end of a path of types. */
function within(data: Uint8Array, [first, ...rest]: readonly string[]): Uint8Array[] {
  const found = [...boxes(data)].filter(({ type }) => type === first).map(({ body }) => body);
  return rest.length === 0 ? found : found.flatMap((body) => within(body, rest));
}

/** The texts of such a file by name; undefined where it is none. */
export function isoTexts(data: Uint8Array): Map<string, string> | undefined {
  if (!spells(data, "ftyp", 4)) return undefined;
  const texts = new Map<string, string>();
  const places = [["meta"], ["moov", "meta"], ["moov", "udta", "meta"]];
  for (const place of places) {
    for (const meta of within(data, place)) {
      // QuickTime's has no version in front of its boxes.
      const inside = spells(meta, "hdlr", 4) ? meta : meta.subarray(4);
      listed(inside, texts);
      if (place.length === 1) items(inside, data, texts);
    }
  }
  return texts;
}

const COMMENTS = ["\xa9cmt", "desc", "ldes"];

/** The entries of an `ilst`, whose names are in `keys`, or letters. */
function listed(meta: Uint8Array, texts: Map<string, string>): void {
  const keys = within(meta, ["keys"]).flatMap((body) => [...boxes(body.subarray(8))]);
  for (const list of within(meta, ["ilst"])) {
    for (const { type, body } of boxes(list)) {
      const named = keys[bigEndian(Uint8Array.from(type, (sign) => sign.charCodeAt(0))) - 1];
      const free = within(body, ["name"]).map((name) => utf8(name.subarray(4)))[0];
      const name = named
        ? utf8(named.body)
        : (free ?? (COMMENTS.includes(type) ? "comment" : type));
      const [value] = within(body, ["data"]);
      if (value) texts.set(name.toLowerCase(), utf8(value.subarray(8)));
    }
  }
}

const XMP = "application/rdf+xml\0";

/** The XMP packet of a picture: an item whose place in the file another box tells. */
function items(meta: Uint8Array, data: Uint8Array, texts: Map<string, string>): void {
  const described = within(meta, ["iinf"]).flatMap((body) => [
    ...boxes(body.subarray(body[0] === 0 ? 6 : 8)),
  ]);
  for (const { body } of described) {
    if (!latin(body).includes(XMP)) continue;
    const id = bigEndian(body.subarray(4, body[0] === 3 ? 8 : 6));
    for (const place of within(meta, ["iloc"])) {
      const parts = extents(place, id).map(([at, size]) => data.subarray(at, at + size));
      texts.set("xmp", utf8(joined(parts)));
    }
  }
}

/** Where the parts of an item lie, from the beginning of the file. */
function extents(iloc: Uint8Array, wanted: number): [at: number, size: number][] {
  const [version = 0, sizes = 0, more = 0] = [iloc[0], iloc[4], iloc[5]];
  let at = 6;
  const number = (bytes: number): number => {
    at += bytes;
    return bigEndian(iloc.subarray(at - bytes, at));
  };
  const [offsetSize, lengthSize, baseSize] = [sizes >> 4, sizes & 15, more >> 4];
  const indexSize = version > 0 ? more & 15 : 0;
  for (let left = number(version < 2 ? 2 : 4); left > 0 && at < iloc.length; left -= 1) {
    const id = number(version < 2 ? 2 : 4);
    const inside = version > 0 ? number(2) & 15 : 0;
    number(2);
    const base = number(baseSize);
    const parts: [number, number][] = [];
    for (let count = number(2); count > 0 && at < iloc.length; count -= 1) {
      number(indexSize);
      parts.push([base + number(offsetSize), number(lengthSize)]);
    }
    if (id === wanted) return inside === 0 ? parts : [];
  }
  return [];
}
