/** Sheets of files that contradict themselves, mended where two of three places agree.
 *
 * A link stands in three places of a file: in the list of links, at the input it enters (`link`),
 * and at the output it leaves (`links`). What the input says counts. Where it names no link of the
 * list, a link that an output lists is there, though the list lacks it; else a link of the list that
 * ends at this input, and that no other input names, enters here: for an input that names nothing,
 * only if the output lists it too.
 *
 * A node whose id another one has is given a free number; of links that leave "the id", those that
 * its outputs list are its own. `engine/graph/mending.py` does the same. */

/** A socket as a file has it. */
export interface Socketed {
  link?: string | null | undefined;
  links?: unknown;
  type?: unknown;
}

/** A node as a file has it. */
export interface Boxed {
  id: string;
  inputs?: Socketed[] | null | undefined;
  outputs?: Socketed[] | null | undefined;
}

/** A link as a file has it. */
export interface Wire {
  id: string;
  from: string;
  slot: number;
  to: string;
  target: number;
  type: unknown;
}

/** The links of a sheet; nodes, their inputs and links are changed in place. `last`: the highest
 * number that the file says was given to a node. */
export function mended(
  nodes: readonly Boxed[],
  list: readonly (Wire | null)[],
  last: number,
): Wire[] {
  const wires = new Map<string, Wire>();
  for (const wire of list) if (wire) wires.set(wire.id, wire);
  renumber(nodes, wires, last);
  const leaving = new Map<string, { node: Boxed; slot: number }>();
  for (const node of nodes) {
    for (const { link, slot } of listed(node)) leaving.set(link, { node, slot });
  }
  addUnlisted(nodes, wires, leaving);
  relink(nodes, wires, leaving);
  return [...wires.values()];
}

/** The links that the outputs of a node list. */
function listed({ outputs }: Boxed): { link: string; slot: number }[] {
  return (outputs ?? []).flatMap(({ links }, slot) =>
    (Array.isArray(links) ? (links as unknown[]) : []).flatMap((link) =>
      typeof link === "number" || typeof link === "string" ? [{ link: String(link), slot }] : [],
    ),
  );
}

function renumber(nodes: readonly Boxed[], wires: Map<string, Wire>, last: number): void {
  const numbers = nodes.map(({ id }) => (/^\d+$/.test(id) ? Number(id) : 0));
  let highest = numbers.reduce((most, number) => Math.max(most, number), last);
  const firsts = new Map<string, Boxed>();
  for (const node of nodes) {
    const first = firsts.get(node.id);
    if (!first) {
      firsts.set(node.id, node);
      continue;
    }
    const [old, id] = [node.id, String(++highest)];
    const others = new Set(listed(first).map(({ link }) => link));
    for (const { link } of listed(node)) {
      const wire = wires.get(link);
      if (wire?.from === old && !others.has(link)) wire.from = id;
    }
    for (const { link } of node.inputs ?? []) {
      const wire = wires.get(link ?? "");
      if (wire?.to === old) wire.to = id;
    }
    node.id = id;
    firsts.set(id, node);
  }
}

type Leaving = ReadonlyMap<string, { node: Boxed; slot: number }>;

/** Links that an input and an output know, and the list does not. */
function addUnlisted(nodes: readonly Boxed[], wires: Map<string, Wire>, leaving: Leaving): void {
  for (const node of nodes) {
    for (const [target, { link }] of (node.inputs ?? []).entries()) {
      const source = link ? leaving.get(link) : undefined;
      if (!link || !source || wires.has(link)) continue;
      const [from, slot] = [source.node.id, source.slot];
      const type = source.node.outputs?.[slot]?.type;
      wires.set(link, { id: link, from, slot, to: node.id, target, type });
    }
  }
}

/** Inputs that do not know the link which ends at them. */
function relink(nodes: readonly Boxed[], wires: Map<string, Wire>, leaving: Leaving): void {
  const named = new Set(nodes.flatMap(({ inputs }) => (inputs ?? []).map(({ link }) => link)));
  const ending = new Map<string, string[]>();
  for (const { id, to, target } of wires.values()) {
    const place = `${target} ${to}`;
    if (!named.has(id)) ending.set(place, [...(ending.get(place) ?? []), id]);
  }
  for (const node of ending.size > 0 ? nodes : []) {
    for (const [slot, socket] of (node.inputs ?? []).entries()) {
      if (socket.link && wires.has(socket.link)) continue;
      const found = ending.get(`${slot} ${node.id}`) ?? [];
      const named = socket.link !== null && socket.link !== undefined;
      socket.link = found.find((link) => named || leaving.has(link)) ?? socket.link;
    }
  }
}
