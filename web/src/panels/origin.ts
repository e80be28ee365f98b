/** What results were made from. */

import { fileTexts } from "../graph/files";
import { readJson } from "../graph/json";
import type { Catalog } from "../graph/kinds";
import { type Recipe, recipeOf } from "../graph/recipe";
import { fetchPiece, type Piece } from "../server/gallery";
import { type File, fetchJob, viewAddress } from "../server/service";

/** The prompt of the job that made it, else the one that its file carries. */
export async function promptOf({ job, file }: Piece): Promise<unknown> {
  if (job !== null) return (await fetchJob(job)).workflow?.prompt;
  const data = await (await fetch(viewAddress(file))).arrayBuffer();
  const text = (await fileTexts(new Uint8Array(data)))?.get("prompt");
  try {
    return text && readJson(text);
  } catch {
    return undefined; // another program's
  }
}

/** The recipe of a file that a job made; undefined where nothing is known of it. */
export async function recipeOfFile(file: File, catalog: Catalog): Promise<Recipe | undefined> {
  const piece = await fetchPiece(file);
  return piece && recipeOf(await promptOf(piece), piece.node, catalog);
}
