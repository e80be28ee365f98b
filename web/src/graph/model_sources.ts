/** Where the models come from that a graph names: files may say so at its nodes
 * (`properties.models`). */

import { isListed } from "./file_names";
import type { Catalog } from "./kinds";
import type { GraphNode, Json, Workflow } from "./model";
import { leafOf } from "./promoted";

/** Where a model can be fetched, and how to know that it is the right one. */
export interface ModelSource {
  url: string;
  sha256?: string;
}

const HEX = /^[0-9a-f]{64}$/i;

/** What a graph says of a model of that name: the node that asks for it first, by way of what its
 * widget stands for inside of a subgraph, then any other one, then the file as a whole. */
export function sourceIn(
  workflow: Workflow,
  node: GraphNode,
  input: string,
  name: string,
  catalog: Catalog,
): ModelSource | undefined {
  const sheets = [workflow.root, ...Object.values(workflow.subgraphs).map(({ sheet }) => sheet)];
  const { node: inside } = leafOf(workflow, node, input, catalog);
  const others = sheets.flatMap((sheet) => Object.values(sheet.nodes));
  const listed = [node, inside, ...others].map(({ kept }) => kept?.properties);
  for (const holder of [...listed, workflow.kept]) {
    const found = sourceOf(holder, name);
    if (found) return found;
  }
  return undefined;
}

/** Some files name models without their folder. */
const isSame = (listed: string, name: string): boolean =>
  isListed([listed], name) || isListed([listed], name.split(/[\\/]/).at(-1));

/** What the properties of a node, or a file, say of a model of that name. */
export function sourceOf(holder: Json | undefined, name: string): ModelSource | undefined {
  const listed = isObject(holder) ? holder.models : undefined;
  for (const entry of Array.isArray(listed) ? listed : []) {
    if (!isObject(entry) || typeof entry.name !== "string" || typeof entry.url !== "string")
      continue;
    if (!isSame(entry.name, name) || !/^https?:\/\//.test(entry.url)) continue;
    const { url, hash } = entry;
    return typeof hash === "string" && HEX.test(hash) ? { url, sha256: hash } : { url };
  }
  return undefined;
}

const isObject = (value: Json | undefined): value is { [name: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
