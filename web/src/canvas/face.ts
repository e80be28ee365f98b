/** What is seen of a node, as a painter needs it: its rows, with the words and values in them. */

import { type Catalog, type InputKind, isNote, shortName, titleOf } from "../graph/kinds";
import { estimated, HEADER, ROW, type Size } from "../graph/layout";
import { type GraphNode, type Json, linkedInputs, type Sheet, type Workflow } from "../graph/model";
import { numeric, shown } from "../graph/numbers";
import { problemsOf } from "../graph/problems";
import { socketsOf } from "../graph/sockets";
import { t } from "../strings";

/** An input or an output: a dot at the node's side, and its name. */
export interface Dot {
  words: string;
  type: string;
  /** Of its middle, from the top of the node. */
  y: number;
  side: "left" | "right";
  quiet: boolean;
}

/** A widget; its right end has an arrow, a switch, or the two buttons of a seed. */
export interface Row {
  label: string;
  value: string;
  top: number;
  height: number;
  end: "" | "arrow" | "switch" | "buttons";
  /** Words that fill it, in lines of their own. */
  tall: boolean;
  /** How much of it is filled, from 0 to 1; of a switch: 1 is on. */
  filled: number;
}

/** All that is painted of a node. */
export interface Face extends Size {
  node: GraphNode;
  title: string;
  /** It is nothing but words. */
  note: boolean;
  /** Something would keep the node from running. */
  warns: boolean;
  dots: readonly Dot[];
  rows: readonly Row[];
}

/** Where the middles of sockets are, from the top of the node, where they were measured. */
export type Middles = ReadonlyMap<string, number>;

/** Between widgets. */
const GAP = 2;
/** A note's words begin below its title. */
const NOTE_TOP = 26;

/** The face of a node as large as that. */
export function faceOf(
  workflow: Workflow,
  sheet: Sheet,
  node: GraphNode,
  catalog: Catalog,
  size: Size,
  middles: Middles,
): Face {
  const linked = linkedInputs(sheet, node.id);
  const warns = problemsOf(workflow, node, catalog, linked).length > 0;
  const note = isNote(node.type);
  const title = note ? (node.title ?? t.note) : titleOf(workflow, node, catalog);
  const face = { ...size, node, note, warns, title };
  if (note) {
    const [value, height] = [String(node.values.text ?? ""), size.height - NOTE_TOP];
    return {
      ...face,
      dots: [],
      rows: [{ ...BARE, label: "", value, tall: true, top: NOTE_TOP, height }],
    };
  }
  if (node.collapsed) return { ...face, dots: [], rows: [] };
  const places = estimated(workflow, node, catalog, linked);
  const { inputs, outputs } = socketsOf(workflow, node, catalog, linked);
  const dots: Dot[] = outputs.map(({ name, label, type }, slot) => ({
    words: label || shortName(name),
    type,
    y: places.outputs[slot] ?? 0,
    side: "right",
    quiet: false,
  }));
  const rows: Row[] = [];
  const sockets = inputs.filter(({ widget }) => !widget).length;
  let top = HEADER + Math.max(sockets, outputs.length) * ROW + GAP;
  for (const { name, label, type, kind, widget } of inputs) {
    const y = middles.get(name) ?? places.inputs.find((one) => one.name === name)?.y ?? 0;
    const isLinked = linked.has(name);
    const words = label || shortName(name);
    const value = node.values[name] ?? kind?.default ?? null;
    const row = widget && !isLinked && kind ? rowOf(kind, value) : undefined;
    const height = 2 * (y - top);
    if (row) rows.push({ ...row, label: words, top, height: row.tall ? height : ROW });
    else dots.push({ words, type, y, side: "left", quiet: !isLinked });
    if (widget) top += height + 2 * GAP;
  }
  return { ...face, dots, rows };
}

type Shown = Pick<Row, "value" | "end" | "tall" | "filled">;

const BARE = { end: "", filled: 0 } as const;

/** undefined: the input has no widget of its own. */
function rowOf({ widget }: InputKind, value: Json): Shown | undefined {
  const plain: Shown = { ...BARE, value: String(value ?? ""), tall: false };
  switch (widget?.kind) {
    case "number": {
      const number = numeric(value ?? 0);
      const [min, max] = [Number(widget.min), Number(widget.max)];
      const part = max - min <= 1000 && !widget.whole ? (Number(number) - min) / (max - min) : 0;
      const filled = Math.max(0, Math.min(1, part));
      return { ...plain, value: shown(number, widget), filled, end: widget.seed ? "buttons" : "" };
    }
    case "toggle": {
      const word = value === true ? widget.on : widget.off;
      return { ...plain, value: word ?? "", end: "switch", filled: value === true ? 1 : 0 };
    }
    case "choice":
      return { ...plain, end: "arrow" };
    case "text":
      return { ...plain, tall: widget.multiline };
    case "colour":
      return plain;
    default:
      return undefined;
  }
}
