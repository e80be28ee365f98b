/** Titles as small pictures: letters are drawn once, then only moved. */

/** A title; `scale` is its pixels for one of the sheet. */
export interface Title {
  image: ImageBitmap;
  width: number;
  height: number;
  scale: number;
}

const SIZE = 30;
const LINE = 36;
const MARGIN = 10;
const LINES = 3;
const FONT = `600 ${SIZE}px system-ui, sans-serif`;
/** Letters of fewer pixels on the screen say nothing. */
const LEGIBLE = 5;
/** Titles are drawn anew when they would be seen larger than this. */
const STEP = 1.5;

/** Titles of one colour, each painted once for a zoom. */
export class Lettering {
  private readonly made = new Map<string, Title>();
  private step = 0;

  constructor(private readonly colour: string) {}

  /** A title for a box as wide as that; undefined where it is too small to be read. */
  of(title: string, width: number, zoom: number): Title | undefined {
    if (SIZE * zoom < LEGIBLE || !title) return undefined;
    const step = Math.ceil(Math.log(zoom) / Math.log(STEP));
    if (step !== this.step) this.made.clear();
    this.step = step;
    const key = `${width} ${title}`;
    const found = this.made.get(key) ?? this.draw(title, width, STEP ** step);
    if (found) this.made.set(key, found);
    return found;
  }

  private draw(title: string, width: number, scale: number): Title | undefined {
    const canvas = new OffscreenCanvas(1, 1);
    const context = canvas.getContext("2d");
    if (!context) return undefined;
    context.font = FONT;
    const lines: string[] = [];
    for (const word of title.split(/\s+/)) {
      const longer = `${lines.at(-1)} ${word}`;
      const room = context.measureText(longer).width <= width - 2 * MARGIN;
      if (lines.length > 0 && room) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    const shown = lines.slice(0, LINES);
    canvas.width = Math.ceil(width * scale);
    canvas.height = Math.ceil(shown.length * LINE * scale);
    context.scale(scale, scale);
    context.font = FONT;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = this.colour;
    for (const [row, line] of shown.entries()) {
      context.fillText(line, width / 2, (row + 0.5) * LINE, width - MARGIN);
    }
    const { width: across, height } = canvas;
    return { image: canvas.transferToImageBitmap(), width: across, height, scale };
  }
}
