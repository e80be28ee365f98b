/** The document: plain, serialisable, never changed in place. */

import { uuid } from "./uuid";

/** A value as JSON has it, whole numbers of any length included. */
export type Json = null | boolean | number | bigint | string | Json[] | { [name: string]: Json };
/** A JSON object. */
export type JsonObject = { [name: string]: Json };

/** Whether a node runs; a bypassed one hands on what it gets. */
export type Mode = "run" | "muted" | "bypassed";
/** What happens to a number after a run. */
export type AfterRun = "fixed" | "increment" | "decrement" | "randomize";

/** In pixels of the canvas, from the left and from the top. */
export interface Point {
  x: number;
  y: number;
}

/** A place and a size. */
export interface Box extends Point {
  width: number;
  height: number;
}

/** A place for a link; `type` as on the wire ("IMAGE", "INT,FLOAT", "*"). */
export interface Socket {
  name: string;
  type: string;
  label?: string;
  /** It stands for a widget of the node. */
  widget?: boolean;
}

/** A node of a sheet. */
export interface GraphNode extends Point {
  id: string;
  /** A kind of the catalog, one of the editor's own, or the id of a subgraph. */
  type: string;
  /** Its place in the file it came from. */
  rank?: number;
  title?: string;
  width?: number;
  height?: number;
  mode: Mode;
  collapsed: boolean;
  colour?: string;
  /** Values of widgets by input name. */
  values: Record<string, Json>;
  after: Record<string, AfterRun>;
  /** Sockets that the kind does not declare: all of them where the kind is not known. */
  inputs?: Socket[];
  outputs?: Socket[];
  /** What the file said besides; written back as it was. */
  kept?: JsonObject;
}

/** From output `slot` of node `from` into the input named `input` of node `to`. */
export interface Link {
  id: string;
  from: string;
  slot: number;
  to: string;
  input: string;
  type: string;
}

/** A frame about nodes. */
export interface Group extends Box {
  id: string;
  title: string;
  colour?: string;
  kept?: JsonObject;
}

/** Nodes, links and groups by their ids: what is seen at once. */
export interface Sheet {
  nodes: Record<string, GraphNode>;
  links: Record<string, Link>;
  groups: Record<string, Group>;
}

/** A sheet that stands as one node elsewhere. Links from `ENTRY` bring its inputs; those to
 * `EXIT` take its outputs away, their `input` being the output's number. */
export interface Subgraph {
  id: string;
  name: string;
  sheet: Sheet;
  inputs: Socket[];
  outputs: Socket[];
  kept?: JsonObject;
}

/** A document: its sheet, and the subgraphs that are used there. */
export interface Workflow {
  /** A UUID: by it the service's jobs are known to belong to this workflow. */
  id: string;
  root: Sheet;
  subgraphs: Record<string, Subgraph>;
  /** The largest number that a node of it ever had; those on its sheets may be larger. */
  lastNode?: number;
  kept?: JsonObject;
}

/** From the root to a sheet: each node that is entered, and the sheet inside of it. */
export type Way = readonly { host: string; sheet: string }[];

/** The key of the root among sheets; other sheets go by their subgraph's id. */
export const ROOT = "";
/** The node that a subgraph's inputs come from, inside of it. */
export const ENTRY = "-10";
/** The node that a subgraph's outputs go to, inside of it. */
export const EXIT = "-20";

/** Where nothing is yet. */
export const EMPTY_SHEET: Sheet = { nodes: {}, links: {}, groups: {} };

/** A new document. */
export function emptyWorkflow(): Workflow {
  return { id: uuid(), root: EMPTY_SHEET, subgraphs: {} };
}

/** The sheet of a key: the root, or a subgraph's; empty where there is none. */
export function sheetOf(workflow: Workflow, sheet: string): Sheet {
  return sheet === ROOT ? workflow.root : (workflow.subgraphs[sheet]?.sheet ?? EMPTY_SHEET);
}

/** The subgraph whose inside a sheet is; undefined: the root. */
export function subgraphOf(workflow: Workflow, sheet: Sheet): Subgraph | undefined {
  return Object.values(workflow.subgraphs).find((subgraph) => subgraph.sheet === sheet);
}

/** The workflow with one of its sheets changed. */
export function onSheet(
  workflow: Workflow,
  sheet: string,
  edit: (sheet: Sheet) => Sheet,
): Workflow {
  if (sheet === ROOT) {
    const root = edit(workflow.root);
    return root === workflow.root ? workflow : { ...workflow, root };
  }
  const subgraph = workflow.subgraphs[sheet];
  if (!subgraph) return workflow;
  const edited = edit(subgraph.sheet);
  if (edited === subgraph.sheet) return workflow;
  const subgraphs = { ...workflow.subgraphs, [sheet]: { ...subgraph, sheet: edited } };
  return { ...workflow, subgraphs };
}

/** The nodes of a sheet in the order of their file, new ones last. */
export function ordered(sheet: Sheet): GraphNode[] {
  const rank = (node: GraphNode): number => node.rank ?? Number.MAX_SAFE_INTEGER;
  return Object.values(sheet.nodes).sort((one, other) => rank(one) - rank(other));
}

/** A number that is no key yet: one above the largest, and above those that were used before. */
export function freshId(taken: Record<string, unknown>, used = 0): string {
  let largest = used;
  for (const id in taken) {
    const number = Number(id);
    if (Number.isSafeInteger(number) && number > largest) largest = number;
  }
  return String(largest + 1);
}

const NO_INPUTS: ReadonlySet<string> = new Set();
/** Made once for each set of links, since every node asks. */
const INTO = new WeakMap<Sheet["links"], Map<string, Set<string>>>();

/** The inputs of a node that have a link. */
export function linkedInputs(sheet: Sheet, node: string): ReadonlySet<string> {
  let into = INTO.get(sheet.links);
  if (!into) {
    into = new Map();
    for (const link of Object.values(sheet.links)) {
      const inputs = into.get(link.to);
      if (inputs) inputs.add(link.input);
      else into.set(link.to, new Set([link.input]));
    }
    INTO.set(sheet.links, into);
  }
  return into.get(node) ?? NO_INPUTS;
}

/** The link that enters an input, if any. */
export function linkInto(sheet: Sheet, node: string, input: string): Link | undefined {
  for (const id in sheet.links) {
    const link = sheet.links[id];
    if (link && link.to === node && link.input === input) return link;
  }
  return undefined;
}
