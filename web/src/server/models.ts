/** Model files: which there are, and which come. */

import { z } from "zod";
import { address, get, listOf, post, request } from "./http";

const ModelFile = z.looseObject({
  name: z.string(),
  pathIndex: z.number().catch(0),
  size: z.number().catch(0),
  preview: z.boolean().catch(false),
});
/** A model file that is there. */
export type ModelFile = z.infer<typeof ModelFile>;

/** The models of a folder. */
export const fetchModelFiles = (folder: string): Promise<ModelFile[]> =>
  get(`experiment/models/${encodeURIComponent(folder)}`, listOf(ModelFile));

/** Where the picture of a model is. */
export function pictureOf(folder: string, { name, pathIndex }: ModelFile): string {
  const path = name.split("/").map(encodeURIComponent).join("/");
  return address(`experiment/models/preview/${encodeURIComponent(folder)}/${pathIndex}/${path}`);
}

const Pull = z.looseObject({
  id: z.string(),
  folder: z.string(),
  name: z.string(),
  source: z.string(),
  state: z.enum(["running", "done", "failed", "cancelled"]),
  done: z.number(),
  total: z.number().nullable(),
  error: z.string().nullable(),
});
/** A model that comes, or came. */
export type Pull = z.infer<typeof Pull>;

/** What comes without an address. */
const Offer = z.looseObject({
  folder: z.string(),
  name: z.string(),
  title: z.string(),
  licence: z.string(),
  size: z.number(),
});
/** A model that the service knows where to get. */
export type Offer = z.infer<typeof Offer>;

const Pulls = z.looseObject({ pulls: listOf(Pull), offers: listOf(Offer) });

/** What comes, and what is offered. */
export const fetchPulls = (): Promise<z.infer<typeof Pulls>> => get("pulls", Pulls);

/** A model file that is wanted; without an address it is one that the service offers. */
export interface Wanted {
  folder: string;
  name: string;
  url?: string;
  sha256?: string;
}

/** Fetches a model; throws `Refused` with the reason where it may not. */
export async function beginPull(wanted: Wanted): Promise<void> {
  await post("pulls", wanted);
}

/** Ends a pull. */
export async function stopPull(id: string): Promise<void> {
  await request(`pulls/${encodeURIComponent(id)}`, { method: "DELETE" });
}
