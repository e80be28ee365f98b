/** Earlier states of workflows: those that were given a name, and those that ran. */

import { z } from "zod";
import type { JsonObject } from "../graph/model";
import { Unusable } from "../graph/places";
import { fetchJson, get, listOf, post, request } from "./http";
import { documentOf, File, fetchJob, fetchJobsOf } from "./service";

/** An earlier state of a workflow. */
export interface Version {
  key: string;
  kind: "named" | "run";
  name: string;
  /** Milliseconds since 1970. */
  at: number;
  /** Milliseconds that the run took. */
  took?: number | undefined;
  picture?: File | undefined;
  /** Its workflow as a file of the editor, or a prompt. */
  document(): Promise<unknown>;
}

const FOLDER = "versions";
const RUNS = 30;

const Kept = z.looseObject({
  name: z.string(),
  at: z.number(),
  picture: File.optional().catch(undefined),
  workflow: z.unknown(),
});
const Entries = listOf(z.looseObject({ name: z.string(), path: z.string() }));

/** All versions of a workflow that there are, the newest first. */
export async function fetchVersions(workflow: string): Promise<Version[]> {
  const [named, runs] = await Promise.all([fetchNamed(workflow), fetchRuns(workflow)]);
  return [...named, ...runs].sort((one, other) => other.at - one.at);
}

async function fetchNamed(workflow: string): Promise<Version[]> {
  const paths = await pathsIn([FOLDER, encodeURIComponent(workflow)]);
  return Promise.all(paths.map(fetchKept));
}

/** A version as it was kept; one that cannot be read is listed, and says so when it is wanted. */
async function fetchKept(path: string): Promise<Version> {
  const content = await fetchJson(`userdata/${encodeURIComponent(path)}`).catch(() => undefined);
  const read = Kept.safeParse(content);
  if (read.success) {
    const { name, at, picture, workflow } = read.data;
    return { key: path, kind: "named", name, at, picture, document: async () => workflow };
  }
  const name = path.slice(path.lastIndexOf("/") + 1, -".json".length);
  const document = (): Promise<never> =>
    Promise.reject(
      new Unusable(`${name} holds no version: its file ${path} is broken. Delete it.`),
    );
  return { key: path, kind: "named", name, at: 0, document };
}

/** The files of a folder. To ask for one that is not there would be an error, and is not done. */
async function pathsIn(folders: readonly string[]): Promise<string[]> {
  let entries = await get("v2/userdata", Entries);
  for (const [depth, folder] of folders.entries()) {
    if (!entries.some(({ name }) => name === folder)) return [];
    const path = folders.slice(0, depth + 1).join("/");
    entries = await get(`v2/userdata?${new URLSearchParams({ path })}`, Entries);
  }
  return entries.flatMap(({ path }) => (path.endsWith(".json") ? [path] : []));
}

async function fetchRuns(workflow: string): Promise<Version[]> {
  const jobs = await fetchJobsOf(workflow, RUNS);
  return jobs.map((job): Version => {
    const { id, execution_start_time: start, execution_end_time: end } = job;
    return {
      key: id,
      kind: "run",
      name: "",
      at: start ?? job.create_time,
      took: start !== undefined && end !== undefined ? end - start : undefined,
      picture: job.preview_output?.mediaType === "images" ? job.preview_output : undefined,
      document: async () => documentOf(await fetchJob(id)),
    };
  });
}

/** Keeps a workflow under a name; throws `Refused` with status 409 where the name is taken. */
export async function keepVersion(
  workflow: string,
  name: string,
  document: JsonObject,
  picture: File | undefined,
): Promise<void> {
  const file = `${name.replace(/[/\\]|^\.+/g, " ").trim()}.json`;
  const path = [FOLDER, encodeURIComponent(workflow), file].join("/");
  const kept = { name, at: Date.now(), picture: picture ?? null, workflow: document };
  await post(`userdata/${encodeURIComponent(path)}?overwrite=false`, kept);
}

/** Deletes a version that was kept under a name. */
export async function forgetVersion({ key }: Version): Promise<void> {
  await request(`userdata/${encodeURIComponent(key)}`, { method: "DELETE" });
}
