/** Which text encoder reads what is written at a node. */

import type { Catalog } from "./kinds";
import { linkInto, type Sheet, type Workflow } from "./model";
import { socketsOf } from "./sockets";

const CLIP = "CLIP";
const CHECKPOINT = "ckpt_name";

/** The checkpoint whose text encoder a node uses, as far as its sheet tells; "" is one in a file
 * of its own. undefined: the node uses none. */
export function encoderOf(
  workflow: Workflow,
  sheet: Sheet,
  catalog: Catalog,
  id: string,
): string | undefined {
  const seen = new Set<string>();
  let [node, found] = [sheet.nodes[id], undefined as string | undefined];
  while (node && !seen.has(node.id)) {
    seen.add(node.id);
    const { inputs } = socketsOf(workflow, node, catalog);
    const chosen = node.values[CHECKPOINT];
    if (found !== undefined && typeof chosen === "string") return chosen;
    // A reroute takes anything and hands on what it takes.
    const input =
      inputs.find(({ type }) => type === CLIP) ?? inputs.find(({ type }) => type === "*");
    const first = node.id === id;
    if (!input || (first && input.type !== CLIP)) return found;
    found = "";
    const link = linkInto(sheet, node.id, input.name);
    node = link && sheet.nodes[link.from];
  }
  return found;
}
