/** Workflows to prompts in API format and back. */

import { defaults, inputsOf } from "./dynamic";
import { type Catalog, type NodeKind, titleOf } from "./kinds";
import { layout } from "./layout";
import {
  emptyWorkflow,
  type GraphNode,
  type Json,
  type JsonObject,
  type Link,
  type Sheet,
  type Workflow,
} from "./model";
import { presentValue } from "./old_files";
import { origin, shared } from "./origins";
import { isSent, type Place, Unusable, unfold, walk } from "./places";

/** A node as the service gets it. */
export interface PromptNode {
  class_type: string;
  inputs: JsonObject;
  _meta: { title: string };
}

/** A graph in API format: nodes by their ids. */
export type Prompt = Record<string, PromptNode>;

/** The prompt to send: muted nodes left out, bypassed ones and reroutes followed, subgraphs
 * unfolded. Throws `Unusable` with what to do about it. */
export function toPrompt(workflow: Workflow, catalog: Catalog): Prompt {
  const prompt: Prompt = {};
  for (const [place, node] of walk(unfold(workflow))) {
    if (!isSent(node)) continue;
    const id = place.prefix + node.id;
    if (prompt[id]) throw new Unusable(`Two nodes have the id ${id}; give one another id.`);
    prompt[id] = {
      inputs: sentInputs(workflow, catalog, place, node),
      class_type: node.type,
      _meta: { title: titleOf(workflow, node, catalog) },
    };
  }
  return prompt;
}

function sentInputs(
  workflow: Workflow,
  catalog: Catalog,
  place: Place,
  node: GraphNode,
): JsonObject {
  const values = valuesOf(node, place, catalog);
  const inputs: JsonObject = {};
  const kind = catalog.get(node.type);
  const set = (name: string, value: Json): void => {
    const input = kind?.inputs.find((one) => one.name === name);
    inputs[name] = written(input ? presentValue(input, value) : value);
  };
  for (const [name, value] of Object.entries(values)) set(name, value);
  for (const [name, link] of place.into.get(node.id) ?? []) {
    const from = origin(workflow, catalog, place, link);
    if (from.kind === "link") inputs[name] = [from.node, from.slot];
    else if (from.kind === "value") set(name, from.value);
    else if (from.kind === "cut") delete inputs[name];
    else if (inputs[name] === undefined) {
      const [other, widget] = shared(workflow, place, link, catalog) ?? [];
      const value = other && widget !== undefined && valuesOf(other, place, catalog)[widget];
      if (value !== undefined) set(name, value);
    }
  }
  return inputs;
}

function valuesOf(node: GraphNode, place: Place, catalog: Catalog): Record<string, Json> {
  const kind = catalog.get(node.type);
  const given = { ...node.values, ...place.imposed[node.id] };
  const kept = Object.entries(given).filter(([name, value]) => isInput(name, value, kind));
  const values = Object.fromEntries(kept);
  return { ...defaults(kind, values), ...values };
}

function isInput(name: string, value: Json, kind: NodeKind | undefined): boolean {
  if (value === null || name.startsWith("$$")) return false;
  if (!kind) return name !== "control_after_generate" && name !== "upload";
  const declared = name.split(".")[0];
  return kind.inputs.some((input) => input.name === declared);
}

/** A literal that might be taken for a link is wrapped. */
function written(value: Json): Json {
  return typeof value === "object" && value !== null ? { __value__: value } : value;
}

function read(value: Json): Json {
  return isObject(value) && "__value__" in value ? (value.__value__ ?? null) : value;
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a document looks like a prompt in API format. */
export function isPrompt(document: unknown): document is Record<string, JsonObject> {
  if (!isObject(document)) return false;
  const nodes = Object.values(document);
  return nodes.length > 0 && nodes.every((node) => isObject(node) && isText(node.class_type));
}

const isText = (value: unknown): value is string => typeof value === "string";

/** A prompt as a workflow, laid out anew: prompts know no places. */
export function fromPrompt(prompt: Record<string, JsonObject>, catalog: Catalog): Workflow {
  const sheet: Sheet = { nodes: {}, links: {}, groups: {} };
  let count = 0;
  for (const [id, entry] of Object.entries(prompt)) {
    const node = readNode(id, entry, catalog);
    sheet.nodes[id] = node;
    for (const [input, value] of Object.entries(isObject(entry.inputs) ? entry.inputs : {})) {
      const from = asLink(value, prompt);
      if (from) {
        count += 1;
        const link: Link = { id: String(count), ...from, to: id, input, type: "*" };
        sheet.links[link.id] = link;
      } else {
        node.values[input] = read(value);
      }
    }
  }
  typeLinks(sheet, catalog);
  const workflow = { ...emptyWorkflow(), root: sheet };
  return { ...workflow, root: layout(workflow, sheet, catalog) };
}

function readNode(id: string, entry: JsonObject, catalog: Catalog): GraphNode {
  const type = String(entry.class_type);
  const node: GraphNode = {
    id,
    type,
    x: 0,
    y: 0,
    mode: "run",
    collapsed: false,
    values: {},
    after: {},
  };
  const title = isObject(entry._meta) ? entry._meta.title : undefined;
  if (typeof title === "string" && title !== (catalog.get(type)?.title ?? type)) node.title = title;
  return node;
}

function asLink(
  value: Json,
  prompt: Record<string, unknown>,
): { from: string; slot: number } | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [from, slot] = value;
  if ((typeof from !== "string" && typeof from !== "number") || !Number.isInteger(slot)) {
    return undefined;
  }
  return Object.hasOwn(prompt, String(from))
    ? { from: String(from), slot: slot as number }
    : undefined;
}

/** Links get the types of what they come from; nodes of unknown kinds the sockets they use. */
function typeLinks(sheet: Sheet, catalog: Catalog): void {
  for (const link of Object.values(sheet.links)) {
    const [from, to] = [sheet.nodes[link.from], sheet.nodes[link.to]];
    const kind = catalog.get(to?.type ?? "");
    const linked = new Set([link.input]);
    const inputs = kind ? inputsOf(kind, to?.values ?? {}, linked) : [];
    const target = inputs.find(({ name }) => name === link.input);
    const source = catalog.get(from?.type ?? "");
    link.type = source?.outputs[link.slot]?.type ?? target?.type ?? "*";
    if (to && !target && !to.inputs?.some(({ name }) => name === link.input)) {
      to.inputs = [...(to.inputs ?? []), { name: link.input, type: link.type }];
    }
    if (from && !source) {
      const outputs = [...(from.outputs ?? [])];
      for (let slot = outputs.length; slot <= Math.min(link.slot, 100); slot += 1) {
        outputs.push({ name: String(slot), type: "*" });
      }
      const output = outputs[link.slot];
      if (output?.type === "*") outputs[link.slot] = { ...output, type: link.type };
      from.outputs = outputs;
    }
  }
}
