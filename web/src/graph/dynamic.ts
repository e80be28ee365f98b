/** Inputs that depend on the node: what a choice brings along, slots that grow. In nodes and
 * prompts they are flat, with dotted names: "format.quality", "images.image0". */

import type { InputKind, NodeKind } from "./kinds";
import type { Json } from "./model";

type Values = Readonly<Record<string, Json>>;

const NOTHING: ReadonlySet<string> = new Set();

/** The inputs of a node as its values and links make them; one free slot more than are linked. */
export function inputsOf(
  kind: NodeKind,
  values: Values,
  linked: ReadonlySet<string> = NOTHING,
): InputKind[] {
  if (!kind.dynamic) return kind.inputs;
  return kind.inputs.flatMap((input) => flat(input, input.name, values, linked));
}

function flat(
  input: InputKind,
  path: string,
  values: Values,
  linked: ReadonlySet<string>,
): InputKind[] {
  if (input.slots) {
    const { names, least, slot } = input.slots;
    const used = names.findLastIndex((name) => linked.has(`${path}.${name}`)) + 1;
    return names.slice(0, Math.max(least, used + 1)).map((name, position) => ({
      ...slot,
      name: `${path}.${name}`,
      optional: input.optional || position >= least,
    }));
  }
  const own = { ...input, name: path };
  return [
    own,
    ...brought(own, values[path]).flatMap((child) => flat(child, child.name, values, linked)),
  ];
}

/** The inputs that a choice brings, under their names in a prompt. */
export function brought(input: InputKind, value: Json | undefined): InputKind[] {
  const key = value ?? input.default;
  const variant = input.variants?.find((one) => one.key === key);
  return (variant?.inputs ?? []).map((child) => ({
    ...child,
    name: `${input.name}.${child.name}`,
  }));
}

/** What widgets are set to where nothing else is said. */
export function defaults(kind: NodeKind | undefined, given: Values = {}): Record<string, Json> {
  const found: Record<string, Json> = {};
  const set = (input: InputKind): void => {
    if (!input.widget || input.default === undefined) return;
    if (input.variants && input.optional) return;
    found[input.name] = input.default;
    for (const child of brought(input, given[input.name])) set(child);
  };
  for (const input of kind?.inputs ?? []) set(input);
  return found;
}
