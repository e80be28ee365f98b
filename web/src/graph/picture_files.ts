/** Texts inside pictures: chunks of PNG (PNG specification, 11.3.4), EXIF (CIPA DC-008) in JPEG and
 * WebP, attributes of OpenEXR. */

import { latin, letters, littleEndian, riffChunks, spells, utf8 } from "./bytes";

const PNG = "\x89PNG\r\n\x1a\n";
const EXR = "\x76\x2f\x31\x01";
const LONGEST = 256 * 2 ** 20;

/** The texts of a picture by name; undefined where it is none of these. */
export async function pictureTexts(data: Uint8Array): Promise<Map<string, string> | undefined> {
  if (spells(data, PNG)) return png(data);
  if (spells(data, "\xff\xd8\xff")) return jpeg(data);
  if (spells(data, "RIFF") && spells(data, "WEBP", 8)) return webp(data);
  if (spells(data, EXR)) return exr(data);
  if (spells(data, "GIF8")) return new Map();
  return undefined;
}

async function png(data: Uint8Array): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let at = PNG.length;
  while (at + 12 <= data.length) {
    const length = view.getUint32(at);
    const type = letters(data.subarray(at + 4, at + 8));
    if (at + 12 + length > data.length) break;
    const body = data.subarray(at + 8, at + 8 + length);
    const end = body.indexOf(0);
    if (end > 0 && /^(tEXt|zTXt|iTXt)$/.test(type)) {
      const text = await chunkText(type, body.subarray(end + 1));
      if (text !== undefined) texts.set(latin(body.subarray(0, end)), text);
    }
    at += 12 + length;
  }
  return texts;
}

async function chunkText(type: string, rest: Uint8Array): Promise<string | undefined> {
  if (type === "tEXt") return latin(rest);
  if (type === "zTXt") {
    const plain = await inflated(rest.subarray(1));
    return plain && latin(plain);
  }
  const compressed = rest[0] === 1;
  const language = rest.indexOf(0, 2);
  const translated = rest.indexOf(0, language + 1);
  if (language < 0 || translated < 0) return undefined;
  const body = rest.subarray(translated + 1);
  const plain = compressed ? await inflated(body) : body;
  return plain && utf8(plain);
}

/** zlib data unpacked; undefined where it is broken or far too long. */
async function inflated(data: Uint8Array): Promise<Uint8Array | undefined> {
  try {
    const stream = new Blob([data as BlobPart]).stream();
    const reader = stream.pipeThrough(new DecompressionStream("deflate")).getReader();
    const parts: Uint8Array[] = [];
    let total = 0;
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      total += part.value.length;
      if (total > LONGEST) return undefined;
      parts.push(part.value);
    }
    return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
  } catch {
    return undefined;
  }
}

const EXIF = "Exif\0\0";

function jpeg(data: Uint8Array): Map<string, string> {
  const texts = new Map<string, string>();
  for (let at = 2; at + 4 <= data.length && data[at] === 0xff; ) {
    const [mark, size] = [data[at + 1], (data[at + 2] ?? 0) * 256 + (data[at + 3] ?? 0)];
    if (mark === 0xda || size < 2) break; // the picture itself
    const body = data.subarray(at + 4, at + 2 + size);
    if (mark === 0xe1 && spells(body, EXIF)) exif(body.subarray(EXIF.length), texts);
    if (mark === 0xfe) texts.set("comment", utf8(body));
    at += 2 + size;
  }
  return texts;
}

function webp(data: Uint8Array): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { type, body } of riffChunks(data)) {
    if (type === "EXIF") exif(spells(body, EXIF) ? body.subarray(EXIF.length) : body, texts);
  }
  return texts;
}

const SUBFOLDER = 0x8769;
const USER_COMMENT = 0x9286;
const NAMED = /^([A-Za-z_]{1,40}):(?=[[{])/;

/** Texts of EXIF: those of the form "name:JSON" by that name, whichever tag they stand at. */
function exif(tiff: Uint8Array, texts: Map<string, string>): void {
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const little = spells(tiff, "II*\0");
  if (!little && !spells(tiff, "MM\0*")) return;
  const seen = new Set<number>();
  const folder = (at: number): void => {
    if (at + 2 > tiff.length || seen.has(at)) return;
    seen.add(at);
    const count = view.getUint16(at, little);
    for (let entry = 0; entry < count; entry += 1) {
      const place = at + 2 + entry * 12;
      if (place + 12 > tiff.length) return;
      const [tag, type] = [view.getUint16(place, little), view.getUint16(place + 2, little)];
      const [size, offset] = [view.getUint32(place + 4, little), view.getUint32(place + 8, little)];
      if (tag === SUBFOLDER) folder(offset);
      if (type !== 2 && tag !== USER_COMMENT) continue;
      const begin = size <= 4 ? place + 8 : offset;
      const value = tiff.subarray(begin, begin + size);
      const text = utf8(type === 2 ? value : value.subarray(8)).replace(/\0+$/, "");
      const name = NAMED.exec(text)?.[1];
      if (name) texts.set(name.toLowerCase(), text.slice(name.length + 1));
      else texts.set(`exif ${tag}`, text);
    }
  };
  if (tiff.length >= 8) folder(view.getUint32(4, little));
}

function exr(data: Uint8Array): Map<string, string> {
  const texts = new Map<string, string>();
  const word = (at: number): string => latin(data.subarray(at, data.indexOf(0, at)));
  for (let at = 8; at < data.length && data[at] !== 0; ) {
    const name = word(at);
    const type = word(at + name.length + 1);
    const begin = at + name.length + type.length + 2;
    const size = littleEndian(data.subarray(begin, begin + 4));
    if (data.indexOf(0, at + name.length + 1) < 0) break;
    if (type === "string") texts.set(name, utf8(data.subarray(begin + 4, begin + 4 + size)));
    at = begin + 4 + size;
  }
  return texts;
}
