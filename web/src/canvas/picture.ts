/** A sheet as a picture of boxes and lines: all of it in one canvas, however many nodes there are. */

import type { Box, Point } from "../graph/model";
import type { Lettering } from "./lettering";

export interface PaintedBox extends Box {
  id: string;
  title: string;
  /** Groups lie behind the links, all else before them. */
  behind: boolean;
  faded: boolean;
  fill: string;
  edge: string;
  /** Of the edge, on the screen. */
  strong: boolean;
}

export interface PaintedLink {
  from: Point;
  to: Point;
  colour: string;
  strong: boolean;
}

/** What is painted, made ready once, so that a frame costs little. */
export interface Picture {
  boxes: readonly PaintedBox[];
  /** By colour and width. */
  links: readonly { colour: string; strong: boolean; path: Path2D }[];
}

/** The view: how far the sheet is moved, in pixels, and its zoom. */
export type View = readonly [x: number, y: number, zoom: number];

const FADED = 0.5;
const CURVE = 0.35;

export function picture(boxes: readonly PaintedBox[], links: readonly PaintedLink[]): Picture {
  const paths = new Map<string, Picture["links"][number]>();
  for (const { from, to, colour, strong } of links) {
    const key = `${colour} ${strong}`;
    const known = paths.get(key) ?? { colour, strong, path: new Path2D() };
    paths.set(key, known);
    const reach = bend(to.x - from.x);
    known.path.moveTo(from.x, from.y);
    known.path.bezierCurveTo(from.x + reach, from.y, to.x - reach, to.y, to.x, to.y);
  }
  const all = [...paths.values()];
  return { boxes, links: all.sort((one, other) => Number(one.strong) - Number(other.strong)) };
}

/** How far a link goes straight on before it bends, as React Flow's links do. */
const bend = (distance: number): number =>
  distance >= 0 ? distance / 2 : CURVE * 25 * Math.sqrt(-distance);

/** Paints what is in view; `marks` are edges that tell of more than the box itself. */
export function paint(
  context: CanvasRenderingContext2D,
  { boxes, links }: Picture,
  [x, y, zoom]: View,
  words: Lettering,
  marks: ReadonlyMap<string, string>,
): void {
  const { canvas } = context;
  const ratio = window.devicePixelRatio;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.setTransform(ratio * zoom, 0, 0, ratio * zoom, ratio * x, ratio * y);
  const [left, top] = [-x / zoom, -y / zoom];
  const right = left + canvas.width / ratio / zoom;
  const bottom = top + canvas.height / ratio / zoom;
  const seen = boxes.filter(
    (box) =>
      box.x < right && box.y < bottom && box.x + box.width > left && box.y + box.height > top,
  );
  const put = (box: PaintedBox): void => {
    const mark = marks.get(box.id);
    context.globalAlpha = box.faded ? FADED : 1;
    context.fillStyle = box.fill;
    context.fillRect(box.x, box.y, box.width, box.height);
    context.strokeStyle = mark ?? box.edge;
    context.lineWidth = (mark || box.strong ? 2.5 : 1) / zoom;
    context.strokeRect(box.x, box.y, box.width, box.height);
    const title = words.of(box.title, box.width, zoom * ratio);
    if (!title) return;
    const [width, height] = [title.width / title.scale, title.height / title.scale];
    const above = box.behind ? 0 : (box.height - height) / 2;
    context.drawImage(title.image, box.x + (box.width - width) / 2, box.y + above, width, height);
  };
  for (const box of seen) if (box.behind) put(box);
  context.globalAlpha = 0.85;
  for (const { colour, strong, path } of links) {
    context.strokeStyle = colour;
    context.lineWidth = Math.max(2, (strong ? 3 : 1) / zoom);
    context.stroke(path);
  }
  for (const box of seen) if (!box.behind) put(box);
}
