/** Texts inside sound files: Vorbis comments of FLAC (RFC 9639, 8.6), Ogg Opus (RFC 7845, 5.2) and
 * Ogg Vorbis, TXXX frames of ID3v2 in MP3 and in a chunk of WAV, the comment of a WAV's INFO. */

import { bigEndian, joined, letters, littleEndian, riffChunks, spells, utf8 } from "./bytes";

/** The texts of a sound file by name; undefined where it is none of these. */
export function soundTexts(data: Uint8Array): Map<string, string> | undefined {
  if (spells(data, "fLaC")) return flac(data);
  if (spells(data, "OggS")) return ogg(data);
  if (spells(data, "ID3")) return id3(data);
  if (/^(RIFF|RF64)$/.test(letters(data.subarray(0, 4))) && spells(data, "WAVE", 8))
    return wav(data);
  if (data[0] === 0xff && ((data[1] ?? 0) & 0xe6) === 0xe2) return new Map(); // MP3 without a tag
  return undefined;
}

function flac(data: Uint8Array): Map<string, string> {
  for (let at = 4; at + 4 <= data.length; ) {
    const head = data[at] ?? 0;
    const size = bigEndian(data.subarray(at + 1, at + 4));
    if ((head & 0x7f) === 4) return comments(data.subarray(at + 4, at + 4 + size));
    if (head & 0x80) break;
    at += 4 + size;
  }
  return new Map();
}

function ogg(data: Uint8Array): Map<string, string> {
  for (const packet of packets(data, 2)) {
    if (spells(packet, "OpusTags")) return comments(packet.subarray(8));
    if (spells(packet, "\x03vorbis")) return comments(packet.subarray(7));
  }
  return new Map();
}

/** The first packets of an Ogg stream, each put together from its segments. */
function packets(data: Uint8Array, most: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  let at = 0;
  while (at + 27 <= data.length && found.length < most && spells(data, "OggS", at)) {
    const count = data[at + 26] ?? 0;
    const sizes = data.subarray(at + 27, at + 27 + count);
    at += 27 + count;
    for (const size of sizes) {
      parts.push(data.subarray(at, at + size));
      at += size;
      if (size === 255) continue;
      found.push(joined(parts));
      parts = [];
    }
  }
  return found;
}

function comments(block: Uint8Array): Map<string, string> {
  const found = new Map<string, string>();
  const size = (at: number): number => littleEndian(block.subarray(at, at + 4));
  let at = 4 + size(0);
  const count = size(at);
  at += 4;
  for (let entry = 0; entry < count && at + 4 <= block.length; entry += 1) {
    const [name = "", ...value] = utf8(block.subarray(at + 4, at + 4 + size(at))).split("=");
    found.set(name.toLowerCase(), value.join("="));
    at += 4 + size(at);
  }
  return found;
}

function wav(data: Uint8Array): Map<string, string> {
  const found = new Map<string, string>();
  for (const { type, body } of riffChunks(data)) {
    if (type.toLowerCase() === "id3 ") for (const [name, text] of id3(body)) found.set(name, text);
    if (type !== "LIST" || !spells(body, "INFO")) continue;
    for (const info of riffChunks(body, 4)) {
      if (info.type === "ICMT") found.set("comment", utf8(info.body).replace(/\0+$/, ""));
    }
  }
  return found;
}

function id3(data: Uint8Array): Map<string, string> {
  const found = new Map<string, string>();
  const end = 10 + sevenBit(data.subarray(6, 10));
  const sized = data[3] === 4 ? sevenBit : bigEndian;
  for (let at = 10; at + 10 <= Math.min(end, data.length); ) {
    const id = letters(data.subarray(at, at + 4));
    const size = sized(data.subarray(at + 4, at + 8));
    if (!/^[A-Z0-9]{4}$/.test(id)) break;
    if (id === "TXXX") {
      const [name = "", ...value] = decoded(data.subarray(at + 10, at + 10 + size)).split("\0");
      found.set(name.toLowerCase(), value.join("").replace(/\0+$/, ""));
    }
    at += 10 + size;
  }
  return found;
}

const ENCODINGS = ["latin1", "utf-16", "utf-16be", "utf-8"];

/** The text of a frame, whose first byte names its encoding. */
function decoded(frame: Uint8Array): string {
  return new TextDecoder(ENCODINGS[frame[0] ?? 0] ?? "utf-8").decode(frame.subarray(1));
}

const sevenBit = (bytes: Uint8Array): number =>
  bytes.reduce((sum, byte) => sum * 128 + (byte & 0x7f), 0);
