/** What follows from a node. */

import type { Sheet } from "./model";

/** The nodes that get something from a node, by way of others too; the nearest first. */
export function downstream(sheet: Sheet, node: string): string[] {
  const next = new Map<string, string[]>();
  for (const { from, to } of Object.values(sheet.links)) {
    const list = next.get(from);
    if (list) list.push(to);
    else next.set(from, [to]);
  }
  const found = new Set([node]);
  for (const id of found) for (const to of next.get(id) ?? []) found.add(to);
  found.delete(node);
  return [...found];
}
