/** What of a graph a form asks for: what its author chose, else what one mostly changes first. */

import { type Ask, aboutOf, type FormAsks } from "./about";
import { type Catalog, type InputKind, isEditorOnly, titleOf } from "./kinds";
import { type GraphNode, linkedInputs, ordered, type Workflow } from "./model";
import { fieldsOf } from "./promoted";

/** Inputs of a node under one name. */
export interface FormPart {
  key: string;
  node: GraphNode;
  name: string;
  inputs: InputKind[];
}

/** What a form asks for. */
export interface Form {
  first: FormPart[];
  settings: FormPart[];
}

/** What a workflow's form asks for: as its author chose, else made from the graph. */
export function formOf(workflow: Workflow, catalog: Catalog): Form {
  const open = openInputs(workflow, catalog);
  const { first, settings } = asksOf(workflow, catalog);
  return { first: parts(first, open), settings: parts(settings, open) };
}

/** The inputs of a form, and in `hidden` those that it might ask for as well. */
export function asksOf(workflow: Workflow, catalog: Catalog): FormAsks & { hidden: Ask[] } {
  const all = [...openInputs(workflow, catalog)].flatMap(([node, { title, inputs }]) =>
    inputs.map((input) => ({ input, ask: { node, input: input.name, name: title } })),
  );
  const chosen = aboutOf(workflow.kept).form;
  if (chosen) {
    const taken = new Set([...chosen.first, ...chosen.settings].map(keyOf));
    const there = new Set(all.map(({ ask }) => keyOf(ask)));
    const kept = (asks: Ask[]): Ask[] => asks.filter((ask) => there.has(keyOf(ask)));
    const hidden = all.map(({ ask }) => ask).filter((ask) => !taken.has(keyOf(ask)));
    return { first: kept(chosen.first), settings: kept(chosen.settings), hidden };
  }
  const asks = (wanted: boolean): Ask[] =>
    all.filter(({ input }) => isFirst(input) === wanted).map(({ ask }) => ask);
  return { first: asks(true), settings: asks(false), hidden: [] };
}

/** One word for an input of a node. */
export const keyOf = ({ node, input }: Ask): string => `${node} ${input}`;

type Open = Map<string, { node: GraphNode; title: string; inputs: InputKind[] }>;

/** The inputs of nodes that run which have a widget and no link, by node, in the file's order;
 * subgraphs are asked for what they show of their inside. */
function openInputs(workflow: Workflow, catalog: Catalog): Open {
  const open: Open = new Map();
  for (const node of ordered(workflow.root)) {
    if (node.mode !== "run" || isEditorOnly(node.type)) continue;
    const linked = linkedInputs(workflow.root, node.id);
    const inputs = fieldsOf(workflow, node, catalog, linked).filter(
      ({ name }) => !linked.has(name),
    );
    if (inputs.length > 0) {
      open.set(node.id, { node, title: titleOf(workflow, node, catalog), inputs });
    }
  }
  return open;
}

/** Neighbours of one node under one name stand together. */
function parts(asks: readonly Ask[], open: Open): FormPart[] {
  const found: FormPart[] = [];
  for (const ask of asks) {
    const place = open.get(ask.node);
    const input = place?.inputs.find(({ name }) => name === ask.input);
    if (!place || !input) continue;
    const last = found.at(-1);
    if (last?.node === place.node && last.name === ask.name) last.inputs.push(input);
    else found.push({ key: keyOf(ask), node: place.node, name: ask.name, inputs: [input] });
  }
  return found;
}

function isFirst({ widget }: InputKind): boolean {
  switch (widget?.kind) {
    case "text":
      return widget.multiline;
    case "number":
      return widget.seed;
    case "choice":
      return widget.upload !== undefined;
    default:
      return false;
  }
}

/** Where a form has an input. */
export type AskPlace = "first" | "settings" | "hidden";

/** The form with an input in another place, at its end. */
export function putAsk(form: FormAsks, ask: Ask, place: AskPlace): FormAsks {
  const without = (asks: Ask[]): Ask[] => asks.filter((one) => keyOf(one) !== keyOf(ask));
  const left = { first: without(form.first), settings: without(form.settings) };
  return place === "hidden" ? left : { ...left, [place]: [...left[place], ask] };
}

/** The form with an input under another name, where it stands. */
export function nameAsk(form: FormAsks, ask: Ask, name: string): FormAsks {
  const named = (asks: Ask[]): Ask[] =>
    asks.map((one) => (keyOf(one) === keyOf(ask) ? { ...one, name } : one));
  return { first: named(form.first), settings: named(form.settings) };
}

/** The form with an input further up or down among those it stands with. */
export function moveAsk(form: FormAsks, ask: Ask, by: -1 | 1): FormAsks {
  const moved = (asks: Ask[]): Ask[] => {
    const at = asks.findIndex((one) => keyOf(one) === keyOf(ask));
    const other = asks[at + by];
    const self = asks[at];
    if (!self || !other) return asks;
    return asks.map((one) => (one === self ? other : one === other ? self : one));
  };
  return { first: moved(form.first), settings: moved(form.settings) };
}

/** The nodes whose results a form shows; of a subgraph, what is shown inside of it. */
export function showing(workflow: Workflow, catalog: Catalog): GraphNode[] {
  return ordered(workflow.root).filter(
    ({ type, mode }) =>
      mode === "run" && (catalog.get(type)?.shows || workflow.subgraphs[type] !== undefined),
  );
}
