/** Workflows opened from files, kept by the service, and handed out as files. */

import { OPENABLE, openDocument, openFile } from "../graph/files";
import { writeJson } from "../graph/json";
import { emptyWorkflow, sheetOf, type Workflow } from "../graph/model";
import { Unusable } from "../graph/places";
import { toPrompt } from "../graph/prompt";
import { toEditor } from "../graph/write_editor";
import { fetchJob, fetchSavedFile, fetchTemplate, saveFile } from "../server/service";
import { catalogNow } from "../stores/catalog";
import { type Tab, tabNow, useDocuments } from "../stores/documents";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { give, inputFor } from "../widgets/upload";
import { wordsOf } from "./run";

/** Of a file that is looked into, in bytes: it is read as a whole. */
const LARGEST = 2 ** 30;

const plain = (name: string): string => name.replace(/\.[a-z0-9]+$/i, "");

async function tell(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    useUi.getState().say(wordsOf(error), "error");
  }
}

function show(workflow: Workflow, name: string, saved = false): void {
  useDocuments.getState().open(workflow, name, { saved });
}

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
  const input = inputFor(sheetOf(tab.history.present, tab.sheet).nodes[id], file);
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
  const workflow = await openFile(data, file.name, catalogNow());
  // The same file twice is two documents.
  const open = useDocuments.getState().tabs.some(({ id }) => id === workflow.id);
  show(open ? { ...workflow, id: crypto.randomUUID() } : workflow, plain(file.name));
}

export function openTemplate(pack: string, name: string): Promise<boolean> {
  let opened = false;
  return tell(async () => {
    const document = await fetchTemplate(pack, name);
    const workflow = openDocument(document, name, catalogNow());
    show({ ...workflow, id: crypto.randomUUID() }, name);
    opened = true;
  }).then(() => opened);
}

export function openSaved(name: string): Promise<void> {
  return tell(async () => {
    const workflow = openDocument(await fetchSavedFile(name), name, catalogNow());
    show(workflow, plain(name), true);
  });
}

/** Opens the graph that a job ran. */
export function openJob(id: string): Promise<void> {
  return tell(async () => {
    const { workflow: sent } = await fetchJob(id);
    const info = sent?.extra_data.extra_pnginfo as { workflow?: unknown } | undefined;
    const document = info?.workflow ?? sent?.prompt;
    const workflow = openDocument(document, t.results.job, catalogNow());
    const name = t.results.graphOf(id.slice(0, 4));
    show({ ...workflow, id: crypto.randomUUID() }, name);
  });
}

export function save(): Promise<void> {
  return tell(async () => {
    const tab = tabNow();
    if (!tab) return;
    await saveFile(`${tab.name}.json`, toEditor(tab.history.present, catalogNow()));
    useDocuments.getState().markSaved(tab.id);
    useUi.getState().say(t.saved(tab.name));
  });
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

/** Opens what the page's address asks for: "#template=hello", "#saved=mine&as=form". */
export async function openAddressed(hash: string): Promise<void> {
  const asked = new URLSearchParams(hash.replace(/^#/, ""));
  const [template, saved] = [asked.get("template"), asked.get("saved")];
  if (template === null && saved === null) return;
  // So that a reload shows what became of it.
  window.history.replaceState(null, "", window.location.pathname);
  if (asked.get("as")) useUi.getState().set({ form: asked.get("as") === "form" });
  if (template !== null) await openTemplate("soundstage", template);
  if (saved !== null) await openSaved(`${saved}.json`);
}
