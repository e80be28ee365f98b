/** What kinds of nodes there are: the service's, and the few that only an editor knows. */

import type { AfterRun, GraphNode, Json, Workflow } from "./model";
import type { Numeric } from "./numbers";

/** One of the values of a choice. */
export type Option = string | number | boolean;

/** How a value is asked for. */
export type Widget =
  | {
      kind: "number";
      whole: boolean;
      min: Numeric;
      max: Numeric;
      step: number;
      /** A number that a person may want new for each run. */
      seed: boolean;
      slider: boolean;
    }
  | { kind: "text"; multiline: boolean; prompt: boolean }
  | {
      kind: "choice";
      options: Option[];
      upload?: "image" | "audio" | "video";
      /** The folder of models that the options are in. */
      models?: string;
    }
  | { kind: "toggle"; on?: string; off?: string }
  | { kind: "colour" }
  /** A value that the editor keeps without a control of its own for it. */
  | { kind: "kept" };

/** An input that a kind declares. */
export interface InputKind {
  name: string;
  type: string;
  optional: boolean;
  /** undefined: a link alone can bring it. */
  widget?: Widget;
  /** What a new node has there; undefined: nothing. */
  default?: Json;
  /** What people read in its place. */
  label?: string;
  /** What happens to it after a run where its node does not say; undefined: nothing. */
  after?: AfterRun;
  tooltip?: string;
  /** What each option of a choice brings along. */
  variants?: { key: Option; inputs: InputKind[] }[];
  /** Slots that appear as they are linked, at first the least. */
  slots?: { names: string[]; least: number; slot: InputKind };
}

/** An output that a kind declares. */
export interface OutputKind {
  name: string;
  type: string;
  tooltip?: string;
}

/** A kind of node. */
export interface NodeKind {
  id: string;
  title: string;
  category: string;
  description: string;
  inputs: InputKind[];
  outputs: OutputKind[];
  /** It shows or saves something: a graph needs one to run. */
  shows: boolean;
  deprecated: boolean;
  experimental: boolean;
  /** Other words to find it by. */
  aliases: string[];
  /** It never reaches the service. */
  editorOnly?: boolean;
  /** Its inputs depend on its values and links. */
  dynamic?: boolean;
}

/** All kinds by their id. */
export type Catalog = ReadonlyMap<string, NodeKind>;

/** A bend in a link. */
export const REROUTE = "Reroute";
/** Words on the canvas. */
export const NOTE = "Note";
/** The same in files of ComfyUI, with marks for headings and links. */
export const MARKDOWN_NOTE = "MarkdownNote";
/** A value that stands beside the inputs it goes into. */
export const PRIMITIVE = "PrimitiveNode";
const REROUTES = new Set([REROUTE, "Reroute (rgthree)"]);
const NOTES = new Set([NOTE, MARKDOWN_NOTE]);

/** Whether nodes of a type are bends in a link. */
export const isReroute = (type: string): boolean => REROUTES.has(type);
/** Whether nodes of a type are words on the canvas. */
export const isNote = (type: string): boolean => NOTES.has(type);
/** Whether a prompt leaves out nodes of this type. */
export const isEditorOnly = (type: string): boolean =>
  isReroute(type) || isNote(type) || type === PRIMITIVE;

const TEXT: Widget = { kind: "text", multiline: true, prompt: false };

function own(id: string, title: string, description: string, more: Partial<NodeKind>): NodeKind {
  return {
    id,
    title,
    category: "editor",
    description,
    inputs: [],
    outputs: [],
    shows: false,
    deprecated: false,
    experimental: false,
    aliases: [],
    editorOnly: true,
    ...more,
  };
}

const noteText: InputKind = {
  name: "text",
  type: "STRING",
  optional: true,
  widget: TEXT,
  default: "",
};

/** Kinds that the editor brings itself. */
export const OWN_KINDS: readonly NodeKind[] = [
  own(REROUTE, "Reroute", "A bend in a link.", {
    inputs: [{ name: "", type: "*", optional: false }],
    outputs: [{ name: "", type: "*" }],
  }),
  own(NOTE, "Note", "Words for whoever reads this graph.", {
    inputs: [noteText],
    aliases: ["comment"],
  }),
  own(MARKDOWN_NOTE, "Note in Markdown", "Words for whoever reads this graph.", {
    inputs: [noteText],
    deprecated: true,
  }),
];

/** As much of a workflow as its nodes' sockets and titles hang on. */
export type Folded = Pick<Workflow, "subgraphs">;

/** What an input is called where its node is seen: "quality" of "format.quality". */
export const shortName = (name: string): string => name.slice(name.lastIndexOf(".") + 1);

/** A node's name for people. */
export function titleOf(workflow: Folded, node: GraphNode, catalog: Catalog): string {
  return (
    node.title || workflow.subgraphs[node.type]?.name || catalog.get(node.type)?.title || node.type
  );
}
