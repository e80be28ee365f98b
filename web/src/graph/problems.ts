/** What would keep a graph from running, found before the service is asked. */

import { inputsOf } from "./dynamic";
import { isElsewhere, isListed } from "./file_names";
import {
  type Catalog,
  type Folded,
  type InputKind,
  isEditorOnly,
  isReroute,
  type NodeKind,
  type Widget,
} from "./kinds";
import {
  ENTRY,
  type GraphNode,
  type Json,
  linkedInputs,
  ordered,
  type Sheet,
  type Subgraph,
  sheetOf,
  type Way,
  type Workflow,
} from "./model";
import { type Numeric, numeric } from "./numbers";
import { leafOf, promoted, proxies } from "./promoted";
import { promptId, sheetAt } from "./uses";

type Upload = Extract<Widget, { kind: "choice" }>["upload"];

/** An input, and what people read in the place of its name. */
interface Named {
  input: string;
  label?: string;
}

/** What is wrong with a node. */
export type Problem =
  | { kind: "unknown"; type: string }
  /** `upload`: what is missing is a file that is chosen or uploaded. */
  | ({ kind: "missing"; upload?: Upload } & Named)
  /** `model`: the choice is of model files, and the one that is named is not there. */
  | ({ kind: "option"; value: Json; model: boolean } & Named)
  /** A file of the input folder is not there. */
  | ({ kind: "file"; value: Json; upload: Upload } & Named)
  | ({ kind: "range"; value: Numeric; min: Numeric; max: Numeric } & Named)
  | ({ kind: "number"; value: Json } & Named);

/** Problems by node id; nodes that do not run have none. */
export function problems(workflow: Folded, sheet: Sheet, catalog: Catalog): Map<string, Problem[]> {
  const found = new Map<string, Problem[]>();
  for (const node of Object.values(sheet.nodes)) {
    const list = problemsOf(workflow, node, catalog, linkedInputs(sheet, node.id));
    if (list.length > 0) found.set(node.id, list);
  }
  return found;
}

/** A problem where it can be mended: of what a host shows, at the host. */
export interface Found {
  problem: Problem;
  /** The node's id in a prompt: "12:7". */
  node: string;
  /** The node and the input that the service knows it by. */
  leaf: string;
  leafInput?: string;
}

/** All problems of a workflow, each once, subgraphs that run included. */
export function allProblems(workflow: Workflow, catalog: Catalog): Found[] {
  return within(workflow, catalog, [], new Set());
}

/** `outside`: the widgets that the host shows, as "node input". */
function within(
  workflow: Workflow,
  catalog: Catalog,
  path: Way,
  outside: ReadonlySet<string>,
): Found[] {
  const sheet = sheetOf(workflow, sheetAt(path));
  return ordered(sheet).flatMap((node): Found[] => {
    const at = promptId(path, node.id);
    const own = problemsOf(workflow, node, catalog, linkedInputs(sheet, node.id));
    const here = own.flatMap((problem): Found[] => {
      if (!("input" in problem)) return [{ problem, node: at, leaf: at }];
      if (outside.has(`${node.id} ${problem.input}`)) return [];
      const leaf = leafOf(workflow, node, problem.input, catalog);
      const id = promptId([...path, ...leaf.path], leaf.node.id);
      return [{ problem, node: at, leaf: id, leafInput: leaf.input }];
    });
    if (node.mode !== "run" || !workflow.subgraphs[node.type]) return here;
    if (path.some(({ sheet }) => sheet === node.type)) return here;
    const shows = new Set(proxies(node).map((proxy) => `${proxy.node} ${proxy.widget}`));
    const inside = [...path, { host: node.id, sheet: node.type }];
    return [...here, ...within(workflow, catalog, inside, shows)];
  });
}

/** What is wrong with one node, of which some inputs have a link; with a host of a subgraph, what
 * it shows of the nodes inside and what they need. */
export function problemsOf(
  workflow: Folded,
  node: GraphNode,
  catalog: Catalog,
  linked: ReadonlySet<string>,
): Problem[] {
  if (node.mode !== "run") return [];
  const subgraph = workflow.subgraphs[node.type];
  if (subgraph) return ofHost(workflow, node, subgraph, catalog, linked);
  const kind = catalog.get(node.type);
  if (!kind) return isEditorOnly(node.type) ? [] : [{ kind: "unknown", type: node.type }];
  if (kind.editorOnly) return [];
  const open = inputsOf(kind, node.values, linked).filter(({ name }) => !linked.has(name));
  return open.flatMap((input) => ofInput(node, input, {}));
}

/** Kinds of widgets that may be left empty. */
const FREE = new Set<string | undefined>(["text", "kept"]);

function ofInput(node: GraphNode, input: InputKind, label: { label?: string }): Problem[] {
  const { name, widget, optional } = input;
  const value = node.values[name] ?? (widget ? input.default : undefined);
  if (value === undefined || value === null) {
    if (optional || FREE.has(widget?.kind)) return [];
    const upload = widget?.kind === "choice" ? widget.upload : undefined;
    return [{ kind: "missing", input: name, ...label, ...(upload ? { upload } : {}) }];
  }
  const problem = widget && ofValue({ input: name, ...label }, value, widget);
  return problem ? [problem] : [];
}

function ofValue(named: Named, value: Json, widget: Widget): Problem | undefined {
  if (widget.kind === "choice") {
    if (isListed(widget.options, value)) return undefined;
    const { upload } = widget;
    if (!upload) return { kind: "option", ...named, value, model: widget.models !== undefined };
    return isElsewhere(String(value)) ? undefined : { kind: "file", ...named, value, upload };
  }
  if (widget.kind !== "number") return undefined;
  const number = numeric(value);
  if (Number.isNaN(number)) return { kind: "number", ...named, value };
  const { min, max } = widget;
  return number < min || number > max
    ? { kind: "range", ...named, value: number, min, max }
    : undefined;
}

function ofHost(
  workflow: Folded,
  host: GraphNode,
  subgraph: Subgraph,
  catalog: Catalog,
  linked: ReadonlySet<string>,
): Problem[] {
  const { sockets, bare } = promoted(workflow, host, subgraph, catalog);
  const fields = [...sockets.values(), ...bare].filter(({ name }) => !linked.has(name));
  const values = fields.flatMap((field) => {
    const optional = isOptional(workflow, host, field.name, catalog);
    return ofInput(host, { ...field, optional }, { label: field.label || field.name });
  });
  const links = subgraph.inputs.flatMap(({ name, label }, slot): Problem[] => {
    const open = !linked.has(name) && !sockets.has(name);
    if (!open || !isNeeded(workflow, subgraph, slot, catalog)) return [];
    return [{ kind: "missing", input: name, label: label || name }];
  });
  return [...values, ...links];
}

/** Whether the widget inside that a host shows may be left empty. */
function isOptional(workflow: Folded, host: GraphNode, input: string, catalog: Catalog): boolean {
  const leaf = leafOf(workflow, host, input, catalog);
  const kind = catalog.get(leaf.node.type);
  const declared = kind && inputsOf(kind, leaf.node.values).find(({ name }) => name === leaf.input);
  return declared?.optional ?? true;
}

/** Whether an input of a subgraph goes where a node that runs cannot do without a link. */
function isNeeded(workflow: Folded, subgraph: Subgraph, slot: number, catalog: Catalog): boolean {
  const { [subgraph.id]: _, ...subgraphs } = workflow.subgraphs;
  return goesToNeed({ subgraphs }, subgraph, ENTRY, slot, catalog, new Set());
}

function goesToNeed(
  workflow: Folded,
  subgraph: Subgraph,
  from: string,
  slot: number | undefined,
  catalog: Catalog,
  seen: Set<string>,
): boolean {
  if (seen.has(from)) return false;
  seen.add(from);
  const { sheet } = subgraph;
  return Object.values(sheet.links).some((link) => {
    const node = sheet.nodes[link.to];
    if (link.from !== from || (slot !== undefined && link.slot !== slot)) return false;
    if (node?.mode !== "run") return false;
    if (isReroute(node.type))
      return goesToNeed(workflow, subgraph, node.id, undefined, catalog, seen);
    const inner = workflow.subgraphs[node.type];
    const place = inner?.inputs.findIndex(({ name }) => name === link.input) ?? -1;
    if (inner) return place >= 0 && isNeeded(workflow, inner, place, catalog);
    return isLinkOnly(catalog.get(node.type), node, link.input);
  });
}

function isLinkOnly(kind: NodeKind | undefined, node: GraphNode, name: string): boolean {
  const inputs = kind ? inputsOf(kind, node.values, new Set([name])) : [];
  const input = inputs.find((one) => one.name === name);
  return input !== undefined && !input.optional && input.widget === undefined;
}
