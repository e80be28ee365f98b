/** A sheet as a picture: all of it in one canvas, however many nodes there are. From far away
 * nodes are boxes with titles, from near by they have faces. */

import type { Size } from "../graph/layout";
import type { Box, GraphNode, Point } from "../graph/model";
import type { Face } from "./face";
import { type Faces, MARGIN, type Pictured } from "./faces";
import { FAR } from "./far";
import type { Inks } from "./inks";
import type { Lettering } from "./lettering";

/** A node, a note or a group. */
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
  /** What is seen of a node or a note from near by. */
  near?: { node: GraphNode; face: () => Face };
}

/** A link, from socket to socket. */
export interface PaintedLink {
  from: Point;
  to: Point;
  colour: string;
  strong: boolean;
}

/** A picture that a node shows. */
export interface PaintedImage extends Box {
  image: HTMLImageElement;
}

/** What is painted. */
export interface Picture {
  boxes: readonly PaintedBox[];
  /** Those of one look stand together, strong ones last. */
  links: readonly PaintedLink[];
  shown: readonly PaintedImage[];
}

/** What is painted with. */
export interface Tools {
  words: Lettering;
  faces: Faces;
  inks: Inks;
}

/** The view: how far the sheet is moved, in pixels, and its zoom. */
export type View = readonly [x: number, y: number, zoom: number];

const FADED = 0.5;
const CURVE = 0.35;
const CORNER = 8;
const ROUND = 12;
/** A picture is painted anew where it would be seen so many times as large, or more. */
const COARSE = 2;
/** Of a frame, for faces that are seen for the first time, or larger than before. */
const MILLISECONDS = 4;

/** Makes ready what is to be painted. */
export function picture(
  boxes: readonly PaintedBox[],
  links: readonly PaintedLink[],
  shown: readonly PaintedImage[],
): Picture {
  const look = ({ strong, colour }: PaintedLink): string => `${Number(strong)} ${colour}`;
  const sorted = links.toSorted((one, other) => (look(one) < look(other) ? -1 : 1));
  return { boxes, links: sorted, shown };
}

/** Whether a box is in view, on a screen as large as that. */
export function sees([x, y, zoom]: View, { width, height }: Size, box: Box): boolean {
  return (
    box.x * zoom + x < width &&
    box.y * zoom + y < height &&
    (box.x + box.width) * zoom + x > 0 &&
    (box.y + box.height) * zoom + y > 0
  );
}

/** Paints what is in view; `marks` are edges that tell of more than the box itself. */
export function paint(
  context: CanvasRenderingContext2D,
  { boxes, links, shown }: Picture,
  view: View,
  tools: Tools,
  marks: ReadonlyMap<string, string>,
): void {
  const { canvas } = context;
  const ratio = window.devicePixelRatio;
  const [x, y, zoom] = view;
  const size = { width: canvas.width / ratio, height: canvas.height / ratio };
  const faceIn = pictures(tools, zoom, ratio);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.setTransform(ratio * zoom, 0, 0, ratio * zoom, ratio * x, ratio * y);
  const put = (box: PaintedBox): void => {
    const mark = marks.get(box.id);
    const face = faceIn(box);
    context.globalAlpha = box.faded ? FADED : 1;
    context.beginPath();
    context.roundRect(box.x, box.y, box.width, box.height, face ? CORNER : zoom < FAR ? 0 : ROUND);
    if (face) putFace(context, face, box, view, ratio);
    else {
      context.fillStyle = box.fill;
      context.fill();
    }
    if (mark !== undefined || box.strong || !face) {
      context.strokeStyle = mark ?? box.edge;
      context.lineWidth = (mark !== undefined || box.strong ? 2.5 : 1) / zoom;
      context.stroke();
    }
    if (box.behind && zoom >= FAR) putCaption(context, box, tools.inks);
    else if (!face) putTitle(context, box, tools.words, zoom * ratio);
  };
  const seen = boxes.filter((box) => sees(view, size, box));
  for (const box of seen) if (box.behind) put(box);
  context.globalAlpha = 0.85;
  strokeLinks(
    context,
    links.filter((link) => sees(view, size, around(link))),
    zoom,
  );
  for (const box of seen) if (!box.behind) put(box);
  context.globalAlpha = 1;
  for (const { image, x, y, width, height } of zoom < FAR ? [] : shown) {
    context.drawImage(image, x, y, width, height);
  }
}

/** The pictures of faces for one frame: new ones are painted as long as there is time. */
function pictures({ faces, inks }: Tools, zoom: number, ratio: number) {
  const began = performance.now();
  return (box: PaintedBox): Pictured | undefined => {
    if (!box.near || zoom < FAR) return undefined;
    const found = faces.of(box.near.node, box);
    const isLate = performance.now() - began > MILLISECONDS;
    const isFine = found && (zoom * ratio) / found.scale < COARSE;
    return isFine || isLate ? found : faces.make(box.near.face(), zoom * ratio, inks);
  };
}

/** On whole pixels: a picture of the right size is only moved, not worked out anew. */
function putFace(
  context: CanvasRenderingContext2D,
  { image, scale }: Pictured,
  box: Box,
  [x, y, zoom]: View,
  ratio: number,
): void {
  const grown = (zoom * ratio) / scale;
  const usual = context.getTransform();
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.drawImage(
    image,
    Math.round(((box.x - MARGIN) * zoom + x) * ratio),
    Math.round(((box.y - MARGIN) * zoom + y) * ratio),
    image.width * grown,
    image.height * grown,
  );
  context.setTransform(usual);
}

/** A group's title, as it stands there near by. */
function putCaption(context: CanvasRenderingContext2D, { x, y, title }: PaintedBox, inks: Inks) {
  context.font = `600 15px ${inks.of("font")}`;
  context.textBaseline = "middle";
  context.fillStyle = inks.of("text");
  context.fillText(title, x + 12, y + 18);
}

function putTitle(
  context: CanvasRenderingContext2D,
  box: PaintedBox,
  words: Lettering,
  scale: number,
): void {
  const title = words.of(box.title, box.width, scale);
  if (!title) return;
  const [width, height] = [title.width / title.scale, title.height / title.scale];
  const above = box.behind ? 0 : (box.height - height) / 2;
  context.drawImage(title.image, box.x + (box.width - width) / 2, box.y + above, width, height);
}

/** How far a link goes straight on before it bends, as React Flow's links do. */
const bend = (distance: number): number =>
  distance >= 0 ? distance / 2 : CURVE * 25 * Math.sqrt(-distance);

/** The box that a link keeps to. */
function around({ from, to }: PaintedLink): Box {
  const reach = Math.max(0, bend(to.x - from.x) - Math.abs(to.x - from.x));
  return {
    x: Math.min(from.x, to.x) - reach,
    y: Math.min(from.y, to.y),
    width: Math.abs(to.x - from.x) + 2 * reach,
    height: Math.abs(to.y - from.y),
  };
}

function strokeLinks(
  context: CanvasRenderingContext2D,
  links: readonly PaintedLink[],
  zoom: number,
): void {
  for (const [at, { from, to, colour, strong }] of links.entries()) {
    const before = links[at - 1];
    if (before?.colour !== colour || before.strong !== strong) {
      if (before) context.stroke();
      context.beginPath();
      context.strokeStyle = colour;
      context.lineWidth = Math.max(2, (strong ? 3 : 1) / zoom);
    }
    const reach = bend(to.x - from.x);
    context.moveTo(from.x, from.y);
    context.bezierCurveTo(from.x + reach, from.y, to.x - reach, to.y, to.x, to.y);
  }
  if (links.length > 0) context.stroke();
}
