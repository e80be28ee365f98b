/** The files that jobs made, as the service lists them. */

import { z } from "zod";
import { get, listOf, request } from "./http";
import { File } from "./service";

/** What files are, to a browser. */
export const KINDS = ["picture", "sound", "film", "other"] as const;
/** What a file is, to a browser. */
export type Kind = (typeof KINDS)[number];

/** A file that a job made. */
const Piece = z.looseObject({
  id: z.number(),
  /** null: the history knows it no more. */
  job: z.string().nullable(),
  /** That showed it, of the job's prompt. */
  node: z.string(),
  workflow: z.string().nullable(),
  kind: z.enum(KINDS),
  file: File,
  /** In bytes. */
  size: z.number(),
  /** In ms since 1970. */
  made: z.number(),
  /** How long the job ran, in ms. */
  took: z.number(),
});
/** A file that a job made. */
export type Piece = z.infer<typeof Piece>;

const Page = z.looseObject({ files: listOf(Piece), next: z.number().nullable() });
/** Some files, and where the next ones begin. */
export type Page = z.infer<typeof Page>;

/** Which files are asked for. */
export interface Wanted {
  /** Words of the texts that it was made from. */
  query?: string;
  kind?: Kind;
  workflow?: string;
  node?: string;
  before?: number;
  limit?: number;
}

/** A page of files, newest first. */
export function fetchPieces(wanted: Wanted): Promise<Page> {
  const given = Object.entries(wanted).filter(([, value]) => value !== undefined);
  const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return get(`gallery?${query}`, Page);
}

/** What is known of one file; undefined: no job that ended made it. */
export async function fetchPiece(file: File): Promise<Piece | undefined> {
  const { filename, subfolder, type } = file;
  const query = new URLSearchParams({ filename, subfolder, type, limit: "1" });
  return (await get(`gallery?${query}`, Page)).files[0];
}

/** Deletes its file from the disk. */
export async function deletePiece(id: number): Promise<void> {
  await request(`gallery/${id}`, { method: "DELETE" });
}

const ENDINGS: [Kind, RegExp][] = [
  ["picture", /\.(png|jpe?g|webp|gif|avif|bmp)$/i],
  ["sound", /\.(wav|flac|mp3|opus|og[ga]|m4a|aac)$/i],
  ["film", /\.(mp4|webm|mkv|mov|m4v)$/i],
];

/** What a browser can make of a file. */
export const kindOf = (name: string): Kind =>
  ENDINGS.find(([, ending]) => ending.test(name))?.[0] ?? "other";
