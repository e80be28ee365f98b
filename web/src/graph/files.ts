/** Files that hold a workflow: JSON in both formats, sounds, and PNG pictures that carry the graph
 * that made them (PNG specification, 11.3.4: tEXt, zTXt, iTXt). */

import { readJson } from "./json";
import type { Catalog } from "./kinds";
import type { Workflow } from "./model";
import { Unusable } from "./places";
import { fromPrompt, isPrompt } from "./prompt";
import { fromEditor, isEditorFile } from "./read_editor";
import { soundTexts } from "./sound_files";

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const LONGEST = 256 * 2 ** 20;

/** The workflow in a file; throws `Unusable` saying why there is none. */
export async function openFile(
  data: Uint8Array,
  name: string,
  catalog: Catalog,
): Promise<Workflow> {
  if (PNG.every((byte, position) => data[position] === byte)) {
    const texts = await pngTexts(data);
    return openTexts(texts, name, catalog);
  }
  const texts = soundTexts(data);
  if (texts) return openTexts(texts, name, catalog);
  if (data.length > LONGEST) throw new Unusable(`${name} is too large for a workflow.`);
  const text = new TextDecoder().decode(data);
  return openText(text, name, catalog);
}

/** The workflow in a text: a file of the editor, or a prompt in API format. */
export function openText(text: string, name: string, catalog: Catalog): Workflow {
  let document: unknown;
  try {
    document = readJson(text);
  } catch {
    throw new Unusable(
      `${name} holds no workflow: it is neither JSON nor a picture or sound that was made here.`,
    );
  }
  return openDocument(document, name, catalog);
}

export function openDocument(document: unknown, name: string, catalog: Catalog): Workflow {
  if (isEditorFile(document)) return fromEditor(document, catalog);
  if (isPrompt(document)) return fromPrompt(document, catalog);
  if (typeof document === "object" && document !== null && "prompt" in document) {
    return openDocument(document.prompt, name, catalog);
  }
  throw new Unusable(`${name} is JSON, but neither a workflow nor a prompt in API format.`);
}

function openTexts(texts: Map<string, string>, name: string, catalog: Catalog): Workflow {
  for (const key of ["workflow", "prompt"]) {
    const text = texts.get(key);
    if (text) return openText(text, name, catalog);
  }
  throw new Unusable(`${name} carries no graph: it was not made here, or its metadata is gone.`);
}

/** The texts of a PNG by keyword. */
export async function pngTexts(data: Uint8Array): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let at = PNG.length;
  while (at + 12 <= data.length) {
    const length = view.getUint32(at);
    const type = latin(data.subarray(at + 4, at + 8));
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
  return plain && new TextDecoder().decode(plain);
}

const latin = (bytes: Uint8Array): string => new TextDecoder("latin1").decode(bytes);

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
