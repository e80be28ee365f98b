/** What follows from a node, and what it follows from. */

import type { Sheet } from "./model";

/** The nodes that get something from a node, by way of others too; the nearest first. */
export const downstream = (sheet: Sheet, node: string): string[] =>
  walk(
    node,
    Object.values(sheet.links).map(({ from, to }) => [from, to]),
  );

/** The nodes that a node gets something from, by way of others too; the nearest first. */
export const upstream = (sheet: Sheet, node: string): string[] =>
  walk(
    node,
    Object.values(sheet.links).map(({ from, to }) => [to, from]),
  );

/** All that steps lead to from a node. */
function walk(node: string, steps: readonly (readonly [string, string])[]): string[] {
  const next = new Map<string, string[]>();
  for (const [from, to] of steps) {
    const list = next.get(from);
    if (list) list.push(to);
    else next.set(from, [to]);
  }
  const found = new Set([node]);
  for (const id of found) for (const to of next.get(id) ?? []) found.add(to);
  found.delete(node);
  return [...found];
}
