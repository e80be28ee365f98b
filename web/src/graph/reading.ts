/** The nodes of a sheet in the order of their work: each after those it needs. */

import type { GraphNode, Sheet } from "./model";

/** The nodes of a sheet, each after those it needs, else from left to right. */
export function reading(sheet: Sheet): GraphNode[] {
  const sources = new Map<string, string[]>();
  for (const link of Object.values(sheet.links)) {
    sources.set(link.to, [...(sources.get(link.to) ?? []), link.from]);
  }
  const found: GraphNode[] = [];
  const seen = new Set<string>();
  const nodes = Object.values(sheet.nodes).sort((one, other) => one.x - other.x || one.y - other.y);
  for (const first of nodes) {
    const open: { id: string; ready: boolean }[] = [{ id: first.id, ready: false }];
    for (let top = open.pop(); top; top = open.pop()) {
      const node = sheet.nodes[top.id];
      if (top.ready && node) found.push(node);
      if (top.ready || seen.has(top.id)) continue;
      seen.add(top.id);
      open.push({ id: top.id, ready: true });
      for (const id of sources.get(top.id) ?? []) open.push({ id, ready: false });
    }
  }
  return found;
}
