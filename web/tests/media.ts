/** Small files of every kind that may carry a graph, put together by hand. */

import { deflateSync } from "node:zlib";

const text = (value: string): Buffer => Buffer.from(value, "utf-8");
const letters = (value: string): Buffer => Buffer.from(value, "latin1");

function big(value: number, bytes = 4): Buffer {
  const made = Buffer.alloc(bytes);
  made.writeUIntBE(value, 0, bytes);
  return made;
}

function little(value: number, bytes = 4): Buffer {
  const made = Buffer.alloc(bytes);
  made.writeUIntLE(value, 0, bytes);
  return made;
}

const whole = (...parts: Buffer[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** A PNG with one chunk of text; sums are left out, nobody looks at them. */
export function png(type: string, body: Buffer): Uint8Array {
  const head = letters("\x89PNG\r\n\x1a\n");
  return whole(head, big(body.length), letters(type), body, Buffer.alloc(4));
}

export const pngTexts: Record<string, (name: string, value: string) => Buffer> = {
  tEXt: (name, value) => Buffer.concat([letters(`${name}\0`), letters(value)]),
  zTXt: (name, value) => Buffer.concat([letters(`${name}\0\0`), deflateSync(letters(value))]),
  iTXt: (name, value) => Buffer.concat([letters(`${name}\0\0\0\0\0`), text(value)]),
  "iTXt packed": (name, value) =>
    Buffer.concat([letters(`${name}\0\x01\0\0\0`), deflateSync(text(value))]),
};

/** EXIF of texts at the tags from the camera's model downwards. */
export function exif(texts: readonly string[], order: "II" | "MM" = "II"): Buffer {
  const number = order === "II" ? little : big;
  const values = texts.map((value) => text(`${value}\0`));
  let at = 8 + 2 + 12 * texts.length + 4;
  const entries = values.map((value, place) => {
    const head = [number(0x0110 - place, 2), number(2, 2), number(value.length), number(at)];
    at += value.length;
    return Buffer.concat(head);
  });
  const head = [letters(order), number(42, 2), number(8), number(texts.length, 2)];
  return Buffer.concat([...head, ...entries, number(0), ...values]);
}

export function jpeg(tiff: Buffer): Uint8Array {
  const body = Buffer.concat([letters("Exif\0\0"), tiff]);
  const quantities = Buffer.concat([letters("\xff\xdb"), big(4, 2), Buffer.alloc(2)]);
  const head = Buffer.concat([letters("\xff\xe1"), big(body.length + 2, 2), body]);
  return whole(letters("\xff\xd8"), quantities, head, letters("\xff\xda"), Buffer.alloc(9));
}

function riff(form: string, ...chunks: [string, Buffer][]): Uint8Array {
  const parts = chunks.map(([type, body]) =>
    Buffer.concat([letters(type), little(body.length), body, Buffer.alloc(body.length % 2)]),
  );
  const inside = Buffer.concat([letters(form), ...parts]);
  return whole(letters("RIFF"), little(inside.length), inside);
}

export const webp = (tiff: Buffer): Uint8Array =>
  riff("WEBP", ["VP8X", Buffer.alloc(10)], ["EXIF", tiff]);

export const wavComment = (comment: string): Uint8Array => {
  const body = text(`${comment}\0`);
  const info = Buffer.concat([letters("INFOICMT"), little(body.length), body]);
  return riff("WAVE", ["fmt ", Buffer.alloc(16)], ["LIST", info], ["data", Buffer.alloc(3)]);
};

function box(type: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([big(body.length + 8), letters(type), body]);
}

const FILM = box("ftyp", letters("isom"), big(512), letters("isomiso2mp41"));
const data = (value: string): Buffer => box("data", big(1), big(0), text(value));
const handler = (kind: string): Buffer =>
  box("hdlr", Buffer.alloc(8), letters(kind), Buffer.alloc(13));

/** A film whose tags have names of their own, as FFmpeg writes them when asked to. */
export function mp4(tags: Record<string, string>): Uint8Array {
  const names = Object.keys(tags).map((name) => box("mdta", text(name)));
  const values = Object.values(tags).map((value, place) =>
    box(`\0\0\0${String.fromCharCode(place + 1)}`, data(value)),
  );
  const keys = box("keys", big(0), big(names.length), ...names);
  const meta = box("meta", big(0), handler("mdta"), keys, box("ilst", ...values));
  const moov = box("moov", box("mvhd", Buffer.alloc(100)), box("udta", meta));
  return whole(FILM, box("mdat", Buffer.alloc(32)), moov);
}

/** A film with iTunes' comment, its `meta` without a version. */
export function mov(comment: string): Uint8Array {
  const meta = box("meta", handler("mdir"), box("ilst", box("\xa9cmt", data(comment))));
  return whole(FILM, box("moov", box("udta", meta)), big(0), letters("mdat"), Buffer.alloc(5));
}

function element(id: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const name = letters(Buffer.from(id.toString(16), "hex").toString("latin1"));
  return Buffer.concat([name, letters("\x08"), big(body.length), body]); // a size of five bytes
}

/** A film in Matroska's form; one that was written `live` knows no sizes. */
export function webm(tags: Record<string, string>, live = false): Uint8Array {
  const simple = Object.entries(tags).map(([name, value]) =>
    element(0x67c8, element(0x45a3, text(name.toUpperCase())), element(0x4487, text(value))),
  );
  const block = element(0xa3, Buffer.alloc(7));
  const cluster = live
    ? Buffer.concat([letters("\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff"), block])
    : element(0x1f43b675, block);
  const inside = [cluster, element(0x1254c367, element(0x7373, ...simple))];
  const head = element(0x1a45dfa3, element(0x4282, text("webm")));
  const open = letters("\x18\x53\x80\x67\xff");
  return live ? whole(head, open, ...inside) : whole(head, element(0x18538067, ...inside));
}
