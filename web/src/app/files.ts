/** Workflows opened from files, kept by the service, and handed out as files. */

import { aboutOf } from "../graph/about";
import { OPENABLE, openDocument, openFile } from "../graph/files";
import { writeJson } from "../graph/json";
import { emptyWorkflow, sheetOf, type Workflow } from "../graph/model";
import { Unusable } from "../graph/places";
import { toPrompt } from "../graph/prompt";
import { uuid } from "../graph/uuid";
import { toEditor } from "../graph/write_editor";
import type { Piece } from "../server/gallery";
import { Refused } from "../server/http";
import {
  documentOf,
  fetchJob,
  fetchSavedFile,
  fetchTemplate,
  openByService,
  saveFile,
  viewAddress,
} from "../server/service";
import { catalogNow } from "../stores/catalog";
import { type Tab, tabNow, useDocuments } from "../stores/documents";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { give, inputFor } from "../widgets/upload";
import { complain } from "./run";

/** Of a file that is looked into, in bytes: it is read as a whole. */
const LARGEST = 2 ** 30;

const plain = (name: string): string => name.replace(/\.[a-z0-9]+$/i, "");

/** Does something; why it could not be done is said to the person. */
export async function tell(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    complain(error);
  }
}

function show(workflow: Workflow, name: string, saved = false): void {
  useDocuments.getState().open(workflow, name, { saved });
}

/** Opens an empty workflow under a name that no open one has. */
export function newWorkflow(): void {
  const taken = new Set(useDocuments.getState().tabs.map((tab) => tab.name));
  let name = t.untitled;
  for (let count = 2; taken.has(name); count += 1) name = `${t.untitled} ${count}`;
  show(emptyWorkflow(), name);
}

/** Gives a file to a node of the open sheet that takes such; whether there is one. */
export function giveTo(id: string | undefined, file: globalThis.File): boolean {
  const tab = tabNow();
  if (!tab || id === undefined) return false;
  const workflow = tab.history.present;
  const input = inputFor(workflow, sheetOf(workflow, tab.sheet).nodes[id], file);
  if (input === undefined) return false;
  void give(id, input, file.type.startsWith("audio/") ? "audio" : "image", file);
  return true;
}

/** Opens files that were dropped or picked, each in a tab; one that cannot be opened is told of
 * and stops no other. */
export async function openFiles(files: Iterable<globalThis.File>): Promise<void> {
  for (const file of files) await tell(() => openOne(file));
}

async function openOne(file: globalThis.File): Promise<void> {
  if (file.size > LARGEST) throw new Unusable(t.tooLarge(file.name));
  const data = new Uint8Array(await file.arrayBuffer());
  const workflow = await openFile(data, file.name, catalogNow()).catch((error: unknown) =>
    openElsewhere(file, error),
  );
  // The same file twice is two documents.
  const open = useDocuments.getState().tabs.some(({ id }) => id === workflow.id);
  show(open ? { ...workflow, id: uuid() } : workflow, plain(file.name));
}

/** The workflow in a file that this editor finds none in: the service knows what other programs
 * write into pictures. `why` is thrown where it finds none either. */
async function openElsewhere(file: globalThis.File, why: unknown): Promise<Workflow> {
  if (!(why instanceof Unusable) || !TOLD.test(file.name)) throw why;
  const found = await openByService(file);
  if (found === undefined) throw why;
  if (found.notes.length > 0) useUi.getState().say(t.notTaken(found.notes));
  return openDocument(found.workflow, file.name, catalogNow());
}

/** Files in which other programs tell how they made a picture. */
const TOLD = /\.(png|jpe?g|webp|txt)$/i;

/** Opens a workflow that comes with the service, as a new one; whether that went well. */
export function openTemplate(pack: string, name: string): Promise<boolean> {
  let opened = false;
  return tell(async () => {
    const document = await fetchTemplate(pack, name);
    const workflow = openDocument(document, name, catalogNow());
    show({ ...workflow, id: uuid() }, fileName(aboutOf(document).title) || name);
    opened = true;
  }).then(() => opened);
}

/** A name without what would be folders. */
export const fileName = (name: string): string => name.replace(/[/\\]/g, " ").trim();

/** Opens a workflow that the service keeps, by the name of its file. */
export function openSaved(name: string): Promise<void> {
  return tell(async () => {
    const workflow = openDocument(await savedFile(name), name, catalogNow());
    show(workflow, plain(name), true);
  });
}

async function savedFile(name: string): Promise<unknown> {
  try {
    return await fetchSavedFile(name);
  } catch (error) {
    const gone = error instanceof Refused && error.status === 404;
    throw gone ? new Unusable(t.form.gone(plain(name))) : error;
  }
}

/** Opens the graph that a result was made of: the one that its job ran, or else the one that its
 * file carries. */
export function openPiece({ job, file }: Piece): Promise<void> {
  return tell(async () => {
    if (job !== null) return showJob(job);
    const data = await (await fetch(viewAddress(file))).blob();
    return openOne(new globalThis.File([data], file.filename));
  });
}

/** Opens the graph that a job ran. */
export const openJob = (id: string): Promise<void> => tell(() => showJob(id));

async function showJob(id: string): Promise<void> {
  const document = documentOf(await fetchJob(id));
  const workflow = openDocument(document, t.results.job, catalogNow());
  const name = t.results.graphOf(id.slice(0, 4));
  show({ ...workflow, id: uuid() }, name);
}

/** Keeps the open workflow on the service, under its name. */
export function save(): Promise<void> {
  return tell(async () => {
    const tab = tabNow();
    if (!tab) return;
    await store(tab);
    useUi.getState().say(t.saved(tab.name));
  });
}

/** Gives the service a workflow to keep under its name. */
export async function store(tab: Tab): Promise<void> {
  await saveFile(`${tab.name}.json`, toEditor(tab.history.present, catalogNow()));
  useDocuments.getState().markSaved(tab.id);
}

/** The workflow as a file of the editor, or as the prompt that the service runs. */
export function download(tab: Tab, format: "editor" | "api"): Promise<void> {
  return tell(async () => {
    const catalog = catalogNow();
    const workflow = tab.history.present;
    const document = format === "api" ? toPrompt(workflow, catalog) : toEditor(workflow, catalog);
    const blob = new Blob([writeJson(document, 2)], { type: "application/json" });
    const link = window.document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = format === "api" ? `${tab.name}_api.json` : `${tab.name}.json`;
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

/** Asks for files and opens them. */
export function pickFiles(): void {
  const input = document.createElement("input");
  input.type = "file";
  input.multiple = true;
  input.accept = OPENABLE;
  input.onchange = () => void openFiles(input.files ?? []);
  input.click();
}
