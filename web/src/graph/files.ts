/** Files that hold a workflow: JSON in both formats, and pictures, sounds and films that carry the
 * graph that made them. */

import { isoTexts } from "./iso_files";
import { readJson } from "./json";
import type { Catalog } from "./kinds";
import { matroskaTexts } from "./matroska";
import type { Workflow } from "./model";
import { pictureTexts } from "./picture_files";
import { Unusable } from "./places";
import { fromPrompt, isPrompt } from "./prompt";
import { fromEditor, isEditorFile } from "./read_editor";
import { soundTexts } from "./sound_files";

const LONGEST = 256 * 2 ** 20;
/** Endings of the names of files that may hold a graph. */
export const OPENABLE =
  ".json,.txt,.png,.webp,.jpg,.jpeg,.avif,.exr,.wav,.flac,.mp3,.opus,.ogg,.m4a,.mp4,.mov,.webm,.mkv";

/** The workflow in a file; throws `Unusable` saying why there is none. */
export async function openFile(
  data: Uint8Array,
  name: string,
  catalog: Catalog,
): Promise<Workflow> {
  const texts = await fileTexts(data);
  if (texts) return openTexts(texts, name, catalog);
  if (data.length > LONGEST) throw new Unusable(`${name} is too large for a workflow.`);
  return openText(new TextDecoder().decode(data), name, catalog);
}

/** The texts that a picture, a sound or a film carries; undefined where it is none of these. */
export async function fileTexts(data: Uint8Array): Promise<Map<string, string> | undefined> {
  return (await pictureTexts(data)) ?? soundTexts(data) ?? isoTexts(data) ?? matroskaTexts(data);
}

/** The workflow in a text: a file of the editor, or a prompt in API format. */
export function openText(text: string, name: string, catalog: Catalog): Workflow {
  let document: unknown;
  try {
    document = parsed(text);
  } catch {
    throw new Unusable(
      `${name} holds no workflow: it is neither JSON nor a picture, sound or film that was made here.`,
    );
  }
  return openDocument(document, name, catalog);
}

const NO_JSON = /(?<=[[,:]\s*)(NaN|-?Infinity)(?=\s*[,\]}])/g;

/** JSON as Python writes it, whose numbers may be none. */
function parsed(text: string): unknown {
  try {
    return readJson(text);
  } catch (error) {
    if (!text.includes("NaN") && !text.includes("Infinity")) throw error;
    return readJson(text.replace(NO_JSON, "null"));
  }
}

/** A document in one of the formats that are known, as a workflow; throws `Unusable` where it is
 * in none. */
export function openDocument(document: unknown, name: string, catalog: Catalog): Workflow {
  if (isEditorFile(document)) return fromEditor(document, catalog);
  if (isPrompt(document)) return fromPrompt(document, catalog);
  const inner = KEYS.map((key) => memberOf(document, key)).find((found) => found !== undefined);
  if (typeof inner === "string") return openText(inner, name, catalog);
  if (isEditorFile(inner)) return fromEditor(inner, catalog);
  if (isPrompt(inner)) return fromPrompt(inner, catalog);
  throw new Unusable(`${name} is JSON, but neither a workflow nor a prompt in API format.`);
}

/** Where a graph is kept beside other things: as it was drawn, else as it was run. */
const KEYS = ["workflow", "prompt"];

function memberOf(document: unknown, key: string): unknown {
  if (typeof document !== "object" || document === null) return undefined;
  return (document as Record<string, unknown>)[key];
}

/** The first of the texts that is a graph: other programs keep it in a comment. */
function openTexts(texts: Map<string, string>, name: string, catalog: Catalog): Workflow {
  const others = [...texts].filter(([key, text]) => !KEYS.includes(key) && /^\s*\{/.test(text));
  const found = [...KEYS.map((key) => texts.get(key) ?? ""), ...others.map(([, text]) => text)];
  let why: unknown;
  for (const text of found.filter(Boolean)) {
    try {
      return openText(text, name, catalog);
    } catch (error) {
      why ??= error;
    }
  }
  if (KEYS.some((key) => texts.get(key))) throw why;
  throw new Unusable(`${name} carries no graph: it was not made here, or its metadata is gone.`);
}
