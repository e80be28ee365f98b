/** What can be done with a result. */

import { newWorkflow } from "../app/files";
import { wordsOf } from "../app/run";
import { add } from "../canvas/actions";
import { setValue } from "../graph/edits";
import { type NodeKind, titleOf } from "../graph/kinds";
import { sheetOf } from "../graph/model";
import { kindOf } from "../server/gallery";
import { type File, upload, viewAddress } from "../server/service";
import { catalogNow, useCatalog } from "../stores/catalog";
import { tabNow, useDocuments } from "../stores/documents";
import { useGallery } from "../stores/gallery";
import { type Lightbox, useUi } from "../stores/ui";
import { t } from "../strings";

const say = (text: string): void => useUi.getState().say(text);

/** Does something and says why where it fails. */
export async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    useUi.getState().say(wordsOf(error), "error");
  }
}

/** Deletes what is doomed. */
export const removeDoomed = (): Promise<void> =>
  attempt(async () => {
    const gone = await useGallery.getState().remove();
    const [first, ...others] = gone;
    if (!first) return;
    say(t.results.removed(first.file.filename, others.length));
    const { lightbox, set } = useUi.getState();
    if (lightbox)
      set({
        lightbox: without(
          lightbox,
          gone.map(({ file }) => viewAddress(file)),
        ),
      });
  });

/** What is looked at after files are gone: the next one, or nothing. */
function without({ at, among, beside }: Lightbox, gone: readonly string[]): Lightbox | null {
  const isGone = (file: File | undefined): boolean =>
    file !== undefined && gone.includes(viewAddress(file));
  const left = among.filter((file) => !isGone(file));
  if (left.length === 0) return null;
  const before = among.slice(0, at).filter(isGone).length;
  const place = Math.min(at - before, left.length - 1);
  return { at: place, among: left, beside: isGone(beside) ? undefined : beside };
}

export const copyPicture = (file: File): Promise<void> =>
  attempt(async () => {
    try {
      // As a promise: some browsers take a picture only at once after the click.
      const picture = fetch(viewAddress(file)).then(asPng);
      await navigator.clipboard.write([new ClipboardItem({ "image/png": picture })]);
    } catch {
      useUi.getState().say(t.results.notCopied, "error");
      return;
    }
    say(t.results.copied);
  });

/** A picture in the one format that clipboards take. */
async function asPng(answer: Response): Promise<Blob> {
  const picture = await createImageBitmap(await answer.blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  canvas.getContext("2d")?.drawImage(picture, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

const LOADS = { picture: "image", sound: "audio", film: "video", other: undefined } as const;
const LOADERS: Record<string, string> = {
  image: "LoadImage",
  audio: "LoadAudio",
  video: "LoadVideo",
};

interface Loader {
  node: string;
  input: string;
}

/** Puts a result into the input folder, and its name into a node that loads it: the one that is
 * selected, the only one there is, or a new one. */
export const takeAsInput = (file: File): Promise<void> =>
  attempt(async () => {
    const loads = LOADS[kindOf(file.filename)];
    const type = LOADERS[loads ?? ""] ?? "";
    if (!loads || !catalogNow().has(type)) {
      useUi.getState().say(t.results.noInput(kindOf(file.filename)), "error");
      return;
    }
    if (!tabNow()) newWorkflow();
    const data = await (await fetch(viewAddress(file))).blob();
    const name = await upload(data, file.filename);
    await useCatalog.getState().load();
    const loader = loaderOf(loads) ?? added(type, loads);
    const tab = tabNow();
    if (!tab || !loader) return;
    const { editSheet, select } = useDocuments.getState();
    editSheet(t.edits.value(loader.input), (sheet) =>
      setValue(sheet, loader.node, loader.input, name),
    );
    select([loader.node]);
    const workflow = tab.history.present;
    const node = sheetOf(workflow, tab.sheet).nodes[loader.node];
    say(t.results.used(name, node ? titleOf(workflow, node, catalogNow()) : type));
  });

function loaderOf(kind: string): Loader | undefined {
  const tab = tabNow();
  if (!tab) return undefined;
  const { nodes } = sheetOf(tab.history.present, tab.sheet);
  const loaders = Object.values(nodes).flatMap(({ id, type }): Loader[] => {
    const input = loadInput(catalogNow().get(type), kind);
    return input ? [{ node: id, input }] : [];
  });
  const selected = loaders.find(({ node }) => tab.selection.has(node));
  return selected ?? (loaders.length === 1 ? loaders[0] : undefined);
}

const loadInput = (kind: NodeKind | undefined, upload: string): string | undefined =>
  kind?.inputs.find(({ widget }) => widget?.kind === "choice" && widget.upload === upload)?.name;

function added(type: string, kind: string): Loader | undefined {
  add(type, useUi.getState().view?.middle() ?? { x: 0, y: 0 });
  const [node] = tabNow()?.selection ?? [];
  const input = loadInput(catalogNow().get(type), kind);
  return node && input ? { node, input } : undefined;
}
