/** Where the models come from that a graph names: files may say so at its nodes
 * (`properties.models`). */

import type { GraphNode, Json } from "./model";

/** Where a model can be fetched, and how to know that it is the right one. */
export interface ModelSource {
  url: string;
  sha256?: string;
}

const HEX = /^[0-9a-f]{64}$/i;

/** What a node says of a model of that name. */
export function sourceOf(node: GraphNode | undefined, name: string): ModelSource | undefined {
  const properties = node?.kept?.properties;
  const listed = isObject(properties) ? properties.models : undefined;
  for (const entry of Array.isArray(listed) ? listed : []) {
    if (!isObject(entry) || entry.name !== name || typeof entry.url !== "string") continue;
    if (!/^https?:\/\//.test(entry.url)) continue;
    const { url, hash } = entry;
    return typeof hash === "string" && HEX.test(hash) ? { url, sha256: hash } : { url };
  }
  return undefined;
}

const isObject = (value: Json | undefined): value is { [name: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
