/** A mask on a canvas: what is painted is masked, as opaque as it is strong. */

import type { Point } from "../../graph/model";

/** What is painted with. */
export interface Brush {
  /** Its diameter in pixels of the picture. */
  size: number;
  /** From 0, soft up to its middle, to 1, with a sharp edge. */
  hardness: number;
  erases: boolean;
}

const COLOUR = "rgb(255 45 120)";
const FAINT = "rgb(255 45 120 / 0.25)";
const CLEAR = "rgb(255 45 120 / 0)";
/** What earlier states may take, in bytes; at least a few are kept whatever they take. */
const MEMORY = 256 * 2 ** 20;
const FEWEST = 3;
const MOST = 50;

/** The canvas and its history. */
export class Painting {
  private readonly context: CanvasRenderingContext2D;
  private past: ImageData[] = [];
  private future: ImageData[] = [];
  /** Something was painted since it was opened. */
  changed = false;

  constructor(
    readonly canvas: HTMLCanvasElement,
    width: number,
    height: number,
  ) {
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (!context) throw new Error("This browser cannot paint.");
    this.context = context;
  }

  /** Takes the mask that a picture has: where it is transparent. */
  adopt(alpha: CanvasImageSource): void {
    this.fill("source-over");
    this.context.globalCompositeOperation = "destination-out";
    this.context.drawImage(alpha, 0, 0, this.canvas.width, this.canvas.height);
  }

  /** What follows is undone at once. */
  begin(): void {
    this.past.push(this.state());
    this.future = [];
    const size = this.canvas.width * this.canvas.height * 4;
    const kept = Math.min(MOST, Math.max(FEWEST, Math.floor(MEMORY / size)));
    this.past.splice(0, this.past.length - kept);
    this.changed = true;
  }

  /** What began last is taken back, as if it had never begun. */
  forget(): void {
    const state = this.past.pop();
    if (state) this.context.putImageData(state, 0, 0);
    this.changed = this.past.length > 0;
  }

  /** Draws the brush along a line; `pressure` from 0 to 1 makes it smaller. */
  stroke(from: Point, to: Point, brush: Brush, pressure = 1): void {
    const radius = Math.max(0.5, (brush.size / 2) * pressure);
    const distance = Math.hypot(to.x - from.x, to.y - from.y);
    const count = Math.max(1, Math.ceil(distance / Math.max(0.5, radius / 5)));
    this.context.globalCompositeOperation = brush.erases ? "destination-out" : "source-over";
    for (let step = 1; step <= count; step += 1) {
      const part = step / count;
      const at = { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part };
      this.stamp(at, radius, brush.hardness);
    }
  }

  invert(): void {
    this.begin();
    this.fill("source-out");
  }

  clear(): void {
    this.begin();
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  get undoable(): boolean {
    return this.past.length > 0;
  }

  get redoable(): boolean {
    return this.future.length > 0;
  }

  undo(): void {
    this.travel(this.past, this.future);
  }

  redo(): void {
    this.travel(this.future, this.past);
  }

  /** The mask as others take it: a picture that is transparent where it was painted. */
  async picture(): Promise<Blob> {
    const { width, height } = this.canvas;
    const made = new OffscreenCanvas(width, height);
    const context = made.getContext("2d");
    if (!context) throw new Error("This browser cannot paint.");
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = "destination-out";
    context.drawImage(this.canvas, 0, 0);
    return made.convertToBlob({ type: "image/png" });
  }

  private stamp({ x, y }: Point, radius: number, hardness: number): void {
    const { context } = this;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    if (hardness >= 1) context.fillStyle = COLOUR;
    else {
      const gradient = context.createRadialGradient(x, y, radius * hardness, x, y, radius);
      gradient.addColorStop(0, COLOUR);
      // Stamps of a stroke lie on each other: their edges are fainter than the stroke's.
      gradient.addColorStop(0.5, FAINT);
      gradient.addColorStop(1, CLEAR);
      context.fillStyle = gradient;
    }
    context.fill();
  }

  private fill(how: GlobalCompositeOperation): void {
    this.context.globalCompositeOperation = how;
    this.context.fillStyle = COLOUR;
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  private state(): ImageData {
    return this.context.getImageData(0, 0, this.canvas.width, this.canvas.height);
  }

  private travel(from: ImageData[], to: ImageData[]): void {
    const state = from.pop();
    if (!state) return;
    to.push(this.state());
    this.context.putImageData(state, 0, 0);
  }
}
