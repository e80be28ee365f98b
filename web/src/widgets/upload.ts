/** Files that nodes take: uploaded, and named by the node's widget. */

import { setValue } from "../graph/edits";
import type { Folded } from "../graph/kinds";
import type { GraphNode } from "../graph/model";
import { fieldsOf } from "../graph/promoted";
import { upload } from "../server/service";
import { catalogNow, useCatalog } from "../stores/catalog";
import { useDocuments } from "../stores/documents";
import { useUi } from "../stores/ui";
import { t } from "../strings";

/** What can be uploaded. */
export type FileKind = "image" | "audio" | "video";

const kindOf = (file: File): string => file.type.split("/")[0] ?? "";

/** The input of a node that takes such a file. */
export function inputFor(
  workflow: Folded,
  node: GraphNode | undefined,
  file: File,
): string | undefined {
  const inputs = node ? fieldsOf(workflow, node, catalogNow()) : [];
  return inputs.find(({ widget }) => widget?.kind === "choice" && widget.upload === kindOf(file))
    ?.name;
}

/** Uploads a file and sets an input to it; whether that went well. */
export async function give(
  node: string,
  input: string,
  kind: FileKind,
  file: File,
): Promise<boolean> {
  if (kindOf(file) !== kind) {
    useUi.getState().say(t.widget.wrongFile(file.name, kind), "error");
    return false;
  }
  try {
    await named(node, input, await upload(file, file.name || `pasted.${file.type.split("/")[1]}`));
    return true;
  } catch (error) {
    const why = String(error instanceof Error ? error.message : error);
    useUi.getState().say(t.widget.notSent(file.name, why), "error");
    return false;
  }
}

/** Sets an input to a file that is new to the service. */
export async function named(node: string, input: string, name: string): Promise<void> {
  await useCatalog.getState().load();
  useDocuments
    .getState()
    .editSheet(t.edits.value(input), (sheet) => setValue(sheet, node, input, name));
}
