/** What the editor asks of the service. */

import { z } from "zod";
import { FOLDER_NAMED } from "../graph/file_names";
import type { JsonObject } from "../graph/model";
import type { Prompt } from "../graph/prompt";
import { address, fetchJson, get, listOf, NodeErrors, post, request } from "./http";
import { type ReadCatalog, readCatalog } from "./object_info";
import { Spans } from "./socket";

/** The kinds of nodes that there are. */
export async function fetchCatalog(): Promise<ReadCatalog> {
  return readCatalog(await fetchJson("object_info"));
}

/** The ids of ComfyUI's own nodes that the service does not have. */
export async function fetchUnsupported(): Promise<ReadonlySet<string>> {
  return new Set(await get("unsupported_nodes", z.array(z.string())));
}

const Receipt = z.looseObject({ prompt_id: z.string(), node_errors: NodeErrors.catch({}) });
/** That a job was queued, and which of its nodes were left out. */
export type Receipt = z.infer<typeof Receipt>;

/** Queues a prompt; throws `Refused` with what is wrong at which node. */
export async function submit(
  prompt: Prompt,
  workflow: JsonObject,
  client: string,
  front: boolean,
): Promise<Receipt> {
  const extra = { extra_pnginfo: { workflow }, preview_method: "auto" };
  const answer = await post("prompt", { prompt, client_id: client, extra_data: extra, front });
  return Receipt.parse(await answer.json());
}

/** A file that a node showed. */
export const File = z.looseObject({
  filename: z.string(),
  subfolder: z.string().catch(""),
  type: z.string().catch("output"),
});
/** A file that a node showed. */
export type File = z.infer<typeof File>;

const Job = z.looseObject({
  id: z.string(),
  status: z.enum(["pending", "in_progress", "completed", "failed", "cancelled"]),
  create_time: z.number().catch(0),
  execution_start_time: z.number().optional(),
  execution_end_time: z.number().optional(),
  workflow_id: z.string().nullish().catch(null),
  preview_output: File.extend({ mediaType: z.string().optional() }).optional().catch(undefined),
  outputs_count: z.number().catch(0),
  execution_error: z
    .looseObject({
      exception_message: z.string().catch(""),
      node_id: z.string().nullish(),
      node_type: z.string().nullish(),
    })
    .optional()
    .catch(undefined),
});
/** A job as lists have it. */
export type Job = z.infer<typeof Job>;

/** A page of jobs. */
export const Jobs = z.looseObject({
  jobs: listOf(Job),
  pagination: z.looseObject({ total: z.number(), has_more: z.boolean() }),
});

/** Jobs in some states, the newest first; those that only wait in the order of the queue. */
async function fetchJobs(limit: number, ...states: Job["status"][]): Promise<z.infer<typeof Jobs>> {
  const order = states.join() === "pending" ? { sort_by: "queue", sort_order: "asc" } : undefined;
  const query = { limit: String(limit), status: states.join(), ...order };
  return get(`jobs?${new URLSearchParams(query)}`, Jobs);
}

/** The jobs of everybody. */
export interface JobLists {
  /** The next ones, and how many there are in all. */
  waiting: Job[];
  total: number;
  running: Job[];
  ended: Job[];
}

/** All jobs that run, and as many of the others as are asked for. */
export async function fetchJobLists(waiting: number, ended: number): Promise<JobLists> {
  // One after the other: a job that goes on in the meantime is in two lists rather than in none.
  const next = await fetchJobs(waiting, "pending");
  const { jobs: running } = await fetchJobs(MOST_RUNNING, "in_progress");
  const last = await fetchJobs(ended, "completed", "failed", "cancelled");
  return { waiting: next.jobs, total: next.pagination.total, running, ended: last.jobs };
}

const MOST_RUNNING = 100;

/** The newest jobs of a workflow that made something. */
export async function fetchJobsOf(workflow: string, limit: number): Promise<Job[]> {
  const asked = { workflow_id: workflow, limit: String(limit), status: "completed" };
  return (await get(`jobs?${new URLSearchParams(asked)}`, Jobs)).jobs;
}

/** The last jobs of a workflow that came to an end of their own, the newest first. */
export async function fetchLastJobs(workflow: string): Promise<Job[]> {
  const asked = { workflow_id: workflow, limit: String(LAST), status: "completed,failed" };
  return (await get(`jobs?${new URLSearchParams(asked)}`, Jobs)).jobs;
}

const LAST = 20;

/** The jobs that run or wait: of one workflow, or of all. */
export async function fetchOpenJobs(workflow?: string): Promise<Job[]> {
  const asked: Record<string, string> = { limit: String(MOST_OPEN), status: "pending,in_progress" };
  if (workflow !== undefined) asked.workflow_id = workflow;
  return (await get(`jobs?${new URLSearchParams(asked)}`, Jobs)).jobs;
}

const MOST_OPEN = 1000;

const Shown = z.record(z.string(), z.record(z.string(), z.unknown()).catch({}));
/** What nodes showed, by their ids. */
export type Shown = z.infer<typeof Shown>;

/** An object as it is: zod's own objects leave out a key "__proto__". */
const AsSent = z.custom<object>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
);

/** What a client sent beside a prompt: anything, for each client sends what it likes. */
const Extra = z
  .looseObject({
    extra_pnginfo: z
      .looseObject({ workflow: AsSent.optional().catch(undefined) })
      .optional()
      .catch(undefined),
  })
  .catch({});

/** All that is known of a job. */
export const JobDetail = Job.extend({
  outputs: Shown.catch({}),
  spans: Spans.catch({}),
  cached: z.array(z.string()).catch([]),
  workflow: z.looseObject({ prompt: z.unknown(), extra_data: Extra }).optional().catch(undefined),
});
/** All that is known of a job. */
export type JobDetail = z.infer<typeof JobDetail>;

/** All that is known of a job; throws `Refused` where it is forgotten. */
export const fetchJob = (id: string): Promise<JobDetail> =>
  get(`jobs/${encodeURIComponent(id)}`, JobDetail);

/** The graph that a job ran: as a file of the editor, where its client sent one, or as a prompt. */
export const documentOf = ({ workflow: sent }: JobDetail): unknown =>
  sent?.extra_data.extra_pnginfo?.workflow ?? sent?.prompt;

/** Stops a job, or takes it out of the queue. */
export async function cancelJob(id: string): Promise<void> {
  await post(`jobs/${encodeURIComponent(id)}/cancel`, {});
}

/** The same for several at once, of which there is one at least. */
export async function cancelJobs(ids: readonly string[]): Promise<void> {
  await post("jobs/cancel", { job_ids: ids });
}

/** Lets a waiting job start before all others that wait. */
export async function moveToFront(id: string): Promise<void> {
  await post(`jobs/${encodeURIComponent(id)}/front`, {});
}

/** Takes all waiting jobs out of the queue. */
export async function clearQueue(): Promise<void> {
  await post("queue", { clear: true });
}

/** Forgets all jobs that ended; the files that they made stay. */
export async function clearHistory(): Promise<void> {
  await post("history", { clear: true });
}

/** Where a file can be fetched; `preview` makes a smaller picture of it. */
export function viewAddress(file: File, preview?: string, channel?: "rgb" | "a"): string {
  const { filename, subfolder, type } = file;
  const how = { ...(preview ? { preview } : {}), ...(channel ? { channel } : {}) };
  return address(`view?${new URLSearchParams({ filename, subfolder, type, ...how })}`);
}

/** The longer side of small pictures, in pixels, and how they are written. */
export const SMALL = 320;
export const SMALL_PREVIEW = "webp;80";

/** The file that a choice names: "deep/x.png" of the input folder, "x.png [output]" of another. */
export function fileNamed(name: string): File {
  const [, path = name, type = "input"] = FOLDER_NAMED.exec(name) ?? [];
  const slash = path.lastIndexOf("/");
  return { filename: path.slice(slash + 1), subfolder: path.slice(0, Math.max(0, slash)), type };
}

const Count = z.looseObject({ count: z.number(), chunk: z.number(), chunks: z.number() });
/** How many tokens there are, in how many chunks of how many. */
export type Count = z.infer<typeof Count>;

/** How many tokens a prompt has, as a checkpoint's own vocabulary cuts it; without one, as most
 * text encoders' does. */
export async function countTokens(
  text: string,
  checkpoint: string | undefined,
  signal: AbortSignal,
): Promise<Count> {
  const answer = await post("tokens", { text, checkpoint: checkpoint ?? null }, signal);
  return Count.parse(await answer.json());
}

const Stored = z.looseObject({ name: z.string(), subfolder: z.string().catch("") });

/** Puts a file into the input folder; its name there. */
export async function upload(file: Blob, name: string): Promise<string> {
  const form = new FormData();
  form.append("image", file, name);
  return stored(await request("upload/image", { method: "POST", body: form }));
}

/** Where masked pictures are kept below the input folder, as ComfyUI's editor does it. */
const MASKED = "clipspace";

/** Puts a picture with the transparency of another one into the input folder; its name there. */
export async function uploadMask(mask: Blob, name: string, original: File): Promise<string> {
  const form = new FormData();
  form.append("image", mask, name);
  form.append("original_ref", JSON.stringify(original));
  form.append("subfolder", MASKED);
  return stored(await request("upload/mask", { method: "POST", body: form }));
}

async function stored(answer: Response): Promise<string> {
  const { name, subfolder } = Stored.parse(await answer.json());
  return subfolder ? `${subfolder}/${name}` : name;
}

/** Names of the workflows that come with the service: pack and name. */
export async function fetchTemplates(): Promise<{ pack: string; name: string }[]> {
  const packs = await get("workflow_templates", z.record(z.string(), listOf(z.string()).catch([])));
  return Object.entries(packs).flatMap(([pack, names]) => names.map((name) => ({ pack, name })));
}

/** A workflow that comes with the service. */
export async function fetchTemplate(pack: string, name: string): Promise<unknown> {
  const path = `workflow_templates/${encodeURIComponent(pack)}/${encodeURIComponent(name)}.json`;
  return fetchJson(path);
}

/** Where the picture of a workflow that comes with the service is. */
export const templatePicture = (pack: string, name: string): string =>
  address(`workflow_templates/${encodeURIComponent(pack)}/${encodeURIComponent(name)}.jpg`);

const Opened = z.looseObject({ workflow: z.unknown(), notes: z.array(z.string()) });

/** The workflow that the service finds in a file of another program, and what could not be taken
 * over from there; undefined where it finds none. */
export async function openByService(data: Blob): Promise<z.infer<typeof Opened> | undefined> {
  const headers = { "Content-Type": "application/octet-stream" };
  const answer = await request("workflow/open?absent=empty", {
    method: "POST",
    body: data,
    headers,
  });
  return answer.status === 204 ? undefined : Opened.parse(await answer.json());
}

const FOLDER = "workflows";

/** Names of the user's saved workflows. */
export async function fetchSaved(): Promise<string[]> {
  // Before anything is saved there is no such folder, and to ask for it would be an error.
  const entries = await get("v2/userdata", listOf(z.looseObject({ name: z.string() })));
  if (!entries.some(({ name }) => name === FOLDER)) return [];
  const names = await get(`userdata?dir=${FOLDER}&recurse=true`, listOf(z.string()));
  return names.filter((name) => name.endsWith(".json") && !/(^|\/)\./.test(name));
}

const saved = (name: string): string => `userdata/${encodeURIComponent(`${FOLDER}/${name}`)}`;

/** One of the user's saved workflows. */
export const fetchSavedFile = (name: string): Promise<unknown> => fetchJson(saved(name));

/** Keeps a workflow under a name; what had that name is gone. */
export async function saveFile(name: string, workflow: JsonObject): Promise<void> {
  await post(saved(name), workflow);
}
