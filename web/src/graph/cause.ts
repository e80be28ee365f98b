/** Whether what was said of a node still holds: as long as nobody changed it, nor anything from which
 * something flows into it. */

import { nodeChanges } from "./diff";
import { locate } from "./locate";
import { ENTRY, type Sheet, sheetOf, type Way, type Workflow } from "./model";

const WITHOUT_MEANING = new Set(["moved", "look", "title", "afterRun"]);

/** Whether the node of a prompt's id, and all that flows into it, is now as it was then. */
export function holds(then: Workflow, now: Workflow, prompt: string): boolean {
  if (then === now) return true;
  const [before, after] = [locate(then, prompt), locate(now, prompt)];
  if (!before || !after || !sameWay(before.path, after.path)) return false;
  return new Comparison(then, now).same(after.path, after.node.id);
}

const sameWay = (one: Way, other: Way): boolean =>
  one.length === other.length &&
  one.every(({ host, sheet }, depth) => {
    const step = other[depth];
    return step?.host === host && step.sheet === sheet;
  });

class Comparison {
  readonly #seen = new Set<string>();
  constructor(
    readonly then: Workflow,
    readonly now: Workflow,
  ) {}

  same(path: Way, id: string): boolean {
    const key = [...path.map(({ host }) => host), id].join(":");
    if (this.#seen.has(key)) return true;
    this.#seen.add(key);
    const sheet = path.at(-1)?.sheet ?? "";
    const [before, after] = [sheetOf(this.then, sheet), sheetOf(this.now, sheet)];
    const [old, node] = [before.nodes[id], after.nodes[id]];
    if (!old || !node) return false;
    if (old !== node) {
      const changes = nodeChanges("", old, node);
      if (changes.some(({ kind }) => !WITHOUT_MEANING.has(kind))) return false;
    }
    if (this.then.subgraphs[node.type] !== this.now.subgraphs[node.type]) return false;
    if (entering(before, id) !== entering(after, id)) return false;
    return Object.values(after.links)
      .filter(({ to }) => to === id)
      .every(({ from }) => this.#sameSource(path, from));
  }

  /** What enters a subgraph flows into the node that stands for it. */
  #sameSource(path: Way, from: string): boolean {
    if (from !== ENTRY) return this.same(path, from);
    const host = path.at(-1)?.host;
    return host === undefined || this.same(path.slice(0, -1), host);
  }
}

const entering = ({ links }: Sheet, id: string): string =>
  Object.values(links)
    .flatMap(({ from, slot, to, input }) => (to === id ? [`${input} ${from} ${slot}`] : []))
    .sort()
    .join();
