/** What can be done with a result. */

import { newWorkflow, tell } from "../app/files";
import { add } from "../canvas/actions";
import { titleOf } from "../graph/kinds";
import { type GraphNode, sheetOf } from "../graph/model";
import { kindOf } from "../server/gallery";
import { type File, viewAddress } from "../server/service";
import { catalogNow } from "../stores/catalog";
import { tabNow, useDocuments } from "../stores/documents";
import { useGallery } from "../stores/gallery";
import { type Lightbox, useUi } from "../stores/ui";
import { t } from "../strings";
import { type FileKind, give, inputFor } from "../widgets/upload";

const say = (text: string): void => useUi.getState().say(text);

/** Deletes what was chosen for it. */
export const deleteChosen = (): Promise<void> =>
  tell(async () => {
    const gone = await useGallery.getState().remove();
    const [first, ...others] = gone;
    if (!first) return;
    say(t.results.removed(first.file.filename, others.length));
    const { lightbox, set } = useUi.getState();
    const places = gone.map(({ file }) => viewAddress(file));
    if (lightbox) set({ lightbox: without(lightbox, places) });
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

/** Puts a picture on the clipboard. */
export const copyPicture = (file: File): Promise<void> =>
  tell(async () => {
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

const LOADERS: Record<string, { type: string; kind: FileKind }> = {
  picture: { type: "LoadImage", kind: "image" },
  sound: { type: "LoadAudio", kind: "audio" },
};

/** Puts a result into the input folder, and its name into a node that loads it: the one that is
 * selected, the only one there is, or a new one. */
export const takeAsInput = ({ filename, ...place }: File): Promise<void> =>
  tell(async () => {
    const loader = LOADERS[kindOf(filename)];
    if (!loader || !catalogNow().has(loader.type)) {
      useUi.getState().say(t.results.noInput(kindOf(filename)), "error");
      return;
    }
    if (!tabNow()) newWorkflow();
    const data = await (await fetch(viewAddress({ filename, ...place }))).blob();
    const file = new globalThis.File([data], filename, { type: data.type });
    const node = loading(file) ?? added(loader.type);
    const workflow = tabNow()?.history.present;
    const input = workflow && inputFor(workflow, node, file);
    if (!node || input === undefined) return;
    if (!(await give(node.id, input, loader.kind, file))) return;
    useDocuments.getState().select([node.id]);
    const tab = tabNow();
    if (tab) say(t.results.used(filename, titleOf(tab.history.present, node, catalogNow())));
  });

/** The node of the open sheet that loads such files. */
function loading(file: globalThis.File): GraphNode | undefined {
  const tab = tabNow();
  if (!tab) return undefined;
  const workflow = tab.history.present;
  const { nodes } = sheetOf(workflow, tab.sheet);
  const all = Object.values(nodes).filter((node) => inputFor(workflow, node, file) !== undefined);
  return all.find(({ id }) => tab.selection.has(id)) ?? (all.length === 1 ? all[0] : undefined);
}

function added(type: string): GraphNode | undefined {
  add(type);
  const tab = tabNow();
  const [id = ""] = tab?.selection ?? [];
  return tab && sheetOf(tab.history.present, tab.sheet).nodes[id];
}
