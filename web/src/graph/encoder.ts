/** Which text encoder reads what is written at a node. */

import type { Catalog } from "./kinds";
import { linkedInputs, sheetOf, type Workflow } from "./model";
import { leafOf } from "./promoted";
import { socketsOf } from "./sockets";
import { promptId, sheetAt, sourceOf, type Use, valueIn } from "./uses";

const CLIP = "CLIP";
const CHECKPOINT = "ckpt_name";

/** The checkpoint whose text encoder reads an input of a node, which may be a host of a subgraph
 * or stand inside of one; "" is an encoder in a file of its own, or one that nothing tells of.
 * undefined: the input is read by none. */
export function encoderOf(
  workflow: Workflow,
  at: Use,
  input: string,
  catalog: Catalog,
): string | undefined {
  const leaf = leafOf(workflow, at.node, input, catalog);
  const start: Use = { node: leaf.node, path: [...at.path, ...leaf.path] };
  const seen = new Set<string>();
  let use: Use | undefined = start;
  let found: string | undefined;
  while (use) {
    const id = promptId(use.path, use.node.id);
    if (seen.has(id)) break;
    seen.add(id);
    const chosen = valueIn(workflow, use, CHECKPOINT);
    if (use !== start && typeof chosen === "string") return chosen;
    const next = handsOn(workflow, use, catalog);
    if (next === undefined || (use === start && next.type !== CLIP)) break;
    found = "";
    use = sourceOf(workflow, use, next.name);
  }
  return found;
}

/** The input by which an encoder comes to a node; a reroute hands on whatever it takes. */
function handsOn(workflow: Workflow, { node, path }: Use, catalog: Catalog) {
  const linked = linkedInputs(sheetOf(workflow, sheetAt(path)), node.id);
  const { inputs } = socketsOf(workflow, node, catalog, linked);
  return inputs.find(({ type }) => type === CLIP) ?? inputs.find(({ type }) => type === "*");
}
