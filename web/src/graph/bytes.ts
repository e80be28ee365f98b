/** Bytes of files read as numbers, texts and parts; what lies beyond the end is nothing. */

const UTF8 = new TextDecoder();
const LATIN = new TextDecoder("latin1");

/** Reads text; what is no UTF-8 becomes signs that say so. */
export const utf8 = (bytes: Uint8Array): string => UTF8.decode(bytes);
/** Reads text of one byte for each letter. */
export const latin = (bytes: Uint8Array): string => LATIN.decode(bytes);
/** A few bytes, each as the character of its number: the name of a part, say. */
export const letters = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** Whether the bytes from `at` on spell this. */
export const spells = (data: Uint8Array, magic: string, at = 0): boolean =>
  letters(data.subarray(at, at + magic.length)) === magic;

/** A whole number, its largest byte first. */
export const bigEndian = (bytes: Uint8Array): number =>
  bytes.reduce((sum, byte) => sum * 256 + byte, 0);

/** A whole number, its smallest byte first. */
export const littleEndian = (bytes: Uint8Array): number =>
  bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);

/** Pieces of bytes as one. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A part of a file: what it is called, and what is in it. */
export interface Chunk {
  type: string;
  body: Uint8Array;
}

/** The chunks of a RIFF file or list: four letters, a size, a body, even. */
export function* riffChunks(data: Uint8Array, from = 12): Generator<Chunk> {
  for (let at = from; at + 8 <= data.length; ) {
    const size = littleEndian(data.subarray(at + 4, at + 8));
    const body = data.subarray(at + 8, at + 8 + size);
    yield { type: letters(data.subarray(at, at + 4)), body };
    at += 8 + size + (size % 2);
  }
}
