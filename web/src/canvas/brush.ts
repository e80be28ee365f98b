/** Paints the face of one node, where and as its elements would stand (theme/nodes.css,
 * theme/widgets.css). */

import { ROW } from "../graph/layout";
import type { Dot, Face, Row } from "./face";
import type { Inks } from "./inks";

type Context = OffscreenCanvasRenderingContext2D;

const SIZE = 12.5;
const LINE = 18;
const HEADER = 32;
const EDGE = 9;
const PADDING = 8;
const NOTE_EDGE = 12;
const CORNER = { node: 8, field: 5 };
const TITLE = 30;
const SOCKET = { radius: 4.5, words: 13 };
const ARROW = 13;
const WARNING = 13;
const BUTTON = 26;
const BUTTON_GAP = 3;
const SWITCH = { width: 28, height: 16, knob: 6 };
const ACCENT = 0.15;

/** Paints a face into a context that is scaled to it. */
export function paintFace(context: Context, face: Face, inks: Inks): void {
  const { width, height, dots, rows } = face;
  const font = `${SIZE}px ${inks.of("font")}`;
  context.textBaseline = "middle";
  context.beginPath();
  context.roundRect(0, 0, width, height, CORNER.node);
  context.strokeStyle = inks.of("line");
  context.lineWidth = 2;
  context.stroke();
  context.fillStyle = inks.of(face.note ? "note" : "surface");
  context.fill();
  if (face.note) {
    paintNote(context, face, font, inks);
    return;
  }
  paintHeader(context, face, font, inks);
  context.font = font;
  for (const dot of dots) paintDot(context, dot, width, inks);
  for (const row of rows) paintRow(context, row, width, inks);
}

function paintHeader(context: Context, face: Face, font: string, inks: Inks): void {
  const { width, height, node, title, dots } = face;
  const type = dots.find(({ side }) => side === "right")?.type ?? dots[0]?.type ?? "*";
  context.beginPath();
  if (node.collapsed) context.roundRect(0, 0, width, height, CORNER.node);
  else context.roundRect(0, 0, width, HEADER, [CORNER.node, CORNER.node, 0, 0]);
  context.fillStyle = inks.header(type);
  context.fill();
  paintArrow(context, EDGE + 6, HEADER / 2, inks, node.collapsed ? "right" : "down");
  const end = face.warns ? width - EDGE - WARNING : width - EDGE;
  context.font = `600 ${font}`;
  context.fillStyle = inks.of("text");
  context.fillText(shortened(context, title, end - TITLE), TITLE, HEADER / 2);
  if (face.warns) paintWarning(context, end, HEADER / 2, inks);
}

function paintNote(context: Context, { title, width, rows }: Face, font: string, inks: Inks): void {
  context.fillStyle = inks.of("text");
  context.font = `600 ${font}`;
  context.fillText(title, NOTE_EDGE, 15);
  context.font = font;
  for (const { value, top, height } of rows) {
    paintLines(context, value, NOTE_EDGE, top + 2, width - 2 * NOTE_EDGE, height);
  }
}

function paintDot(context: Context, dot: Dot, width: number, inks: Inks): void {
  const isLeft = dot.side === "left";
  context.fillStyle = inks.line(dot.type);
  context.beginPath();
  context.arc(isLeft ? 0 : width, dot.y, SOCKET.radius, 0, 2 * Math.PI);
  context.fill();
  context.fillStyle = inks.of(dot.quiet ? "text-2" : "text");
  context.textAlign = isLeft ? "left" : "right";
  context.fillText(dot.words, isLeft ? SOCKET.words : width - SOCKET.words, dot.y);
  context.textAlign = "left";
}

function paintRow(context: Context, row: Row, whole: number, inks: Inks): void {
  const { label, value, top, height, end } = row;
  const buttons = end === "buttons" ? 2 * (BUTTON + BUTTON_GAP) : 0;
  const width = whole - 2 * EDGE - buttons;
  const middle = top + ROW / 2;
  box(context, EDGE, top, width, height, inks.of("field"));
  for (let at = 0; at < buttons; at += BUTTON + BUTTON_GAP) {
    box(context, EDGE + width + BUTTON_GAP + at, top, BUTTON, height, inks.of("field"));
  }
  if (row.filled > 0 && end !== "switch") {
    context.globalAlpha = ACCENT;
    box(context, EDGE, top, width * row.filled, height, inks.of("accent"));
    context.globalAlpha = 1;
  }
  const left = EDGE + PADDING;
  if (row.tall) {
    context.fillStyle = inks.of(value ? "text" : "text-2");
    paintLines(context, value || label, left, top + 6, width - 2 * PADDING, height - 6);
    return;
  }
  let right = EDGE + width - PADDING;
  if (end === "arrow") {
    paintArrow(context, right - ARROW / 2, middle, inks, "down");
    right -= ARROW + 6;
  } else if (end === "switch") {
    paintSwitch(context, right, middle, row.filled > 0, inks);
    right -= SWITCH.width + 6;
  }
  context.fillStyle = inks.of("text-2");
  const named = shortened(context, label, (right - left) * 0.62);
  context.fillText(named, left, middle);
  const room = right - left - context.measureText(named).width - 6;
  context.fillStyle = inks.of("text");
  context.textAlign = "right";
  context.fillText(shortened(context, value, room), right, middle);
  context.textAlign = "left";
}

function paintSwitch(context: Context, right: number, y: number, isOn: boolean, inks: Inks): void {
  const { width, height, knob } = SWITCH;
  const left = right - width;
  context.fillStyle = inks.of(isOn ? "accent" : "line-strong");
  context.beginPath();
  context.roundRect(left, y - height / 2, width, height, height / 2);
  context.fill();
  context.fillStyle = inks.of("surface");
  context.beginPath();
  context.arc(isOn ? right - height / 2 : left + height / 2, y, knob, 0, 2 * Math.PI);
  context.fill();
}

function box(context: Context, x: number, y: number, width: number, height: number, fill: string) {
  context.fillStyle = fill;
  context.beginPath();
  context.roundRect(x, y, width, height, Math.min(CORNER.field, height / 2));
  context.fill();
}

function paintWarning(context: Context, x: number, y: number, inks: Inks) {
  context.strokeStyle = inks.of("warn");
  context.lineWidth = 1.2;
  context.lineJoin = "round";
  context.beginPath();
  context.moveTo(x + WARNING / 2, y - 5);
  context.lineTo(x + WARNING - 1, y + 5);
  context.lineTo(x + 1, y + 5);
  context.closePath();
  context.stroke();
}

function paintArrow(context: Context, x: number, y: number, inks: Inks, way: "down" | "right") {
  context.strokeStyle = inks.of("text-2");
  context.lineWidth = 1.2;
  context.beginPath();
  if (way === "down") {
    context.moveTo(x - 3.5, y - 1.5);
    context.lineTo(x, y + 2);
    context.lineTo(x + 3.5, y - 1.5);
  } else {
    context.moveTo(x - 1.5, y - 3.5);
    context.lineTo(x + 2, y);
    context.lineTo(x - 1.5, y + 3.5);
  }
  context.stroke();
}

/** As many lines of words as there is room for. */
function paintLines(
  context: Context,
  words: string,
  x: number,
  top: number,
  width: number,
  height: number,
): void {
  const most = Math.floor(height / LINE);
  const letters = Math.max(1, Math.floor(width / (SIZE / 2)));
  let rest = words.slice(0, most * letters * 2);
  for (let line = 0; line < most && rest; line += 1) {
    const [first = ""] = rest.split("\n", 1);
    const fitting = beginning(context, first, width);
    const space = fitting === first ? first.length : fitting.lastIndexOf(" ");
    const shown = space > 0 ? rest.slice(0, space) : fitting;
    context.fillText(shown, x, top + (line + 0.5) * LINE);
    rest = rest.slice(Math.max(1, shown.length)).replace(/^[ \n]/, "");
  }
}

/** Words, or their beginning where there is no room for all of them. */
function shortened(context: Context, words: string, width: number): string {
  const fitting = beginning(context, words, width);
  return fitting === words ? words : `${fitting.slice(0, -1)}…`;
}

/** The longest beginning of some words that is no wider than that, near enough. */
function beginning(context: Context, words: string, width: number): string {
  const some = words.slice(0, Math.max(0, Math.ceil(width / 2)));
  const wide = context.measureText(some).width;
  return wide <= width ? some : some.slice(0, Math.floor((some.length * width) / wide));
}
