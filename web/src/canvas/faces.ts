/** Nodes as small pictures of what they show: painted once, then only moved. */

import type { Size } from "../graph/layout";
import type { GraphNode } from "../graph/model";
import { paintFace } from "./brush";
import type { Face } from "./face";
import type { Inks } from "./inks";

/** A picture of a node's face of a size; `scale` is its pixels for one of the sheet. */
export interface Pictured extends Size {
  image: ImageBitmap;
  scale: number;
}

/** Pixels that are kept, of all faces together. */
const MOST_PIXELS = 16e6;
/** Around a node, for its sockets and its shadow. */
export const MARGIN = 6;

/** Pictures of faces; each is kept until its node is another object, or others need the room.
 * What else a face hangs on, links and colours, is the same for all that one of these holds. */
export class Faces {
  private readonly made = new Map<GraphNode, Pictured>();
  private pixels = 0;

  /** The picture that there is of a node of this size. */
  of(node: GraphNode, { width, height }: Size): Pictured | undefined {
    const found = this.made.get(node);
    return found?.width === width && found.height === height ? found : undefined;
  }

  /** Paints the picture of a face. */
  make(face: Face, scale: number, inks: Inks): Pictured | undefined {
    const { width, height } = face;
    const [across, down] = [width, height].map((length) => (length + 2 * MARGIN) * scale);
    const canvas = new OffscreenCanvas(Math.ceil(across ?? 0), Math.ceil(down ?? 0));
    const context = canvas.getContext("2d");
    if (!context) return undefined;
    context.scale(scale, scale);
    context.translate(MARGIN, MARGIN);
    paintFace(context, face, inks);
    this.drop(face.node);
    const pictured = { image: canvas.transferToImageBitmap(), scale, width, height };
    this.made.set(face.node, pictured);
    this.pixels += canvas.width * canvas.height;
    for (const node of this.made.keys()) {
      if (this.pixels <= MOST_PIXELS || node === face.node) break;
      this.drop(node);
    }
    return pictured;
  }

  private drop(node: GraphNode): void {
    const image = this.made.get(node)?.image;
    if (!image) return;
    this.pixels -= image.width * image.height;
    image.close();
    this.made.delete(node);
  }
}
