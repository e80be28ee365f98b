/** Where something new goes: the free place nearest to where it is wanted. */

import type { Size } from "./layout";
import type { Box, Point } from "./model";

const GRID = 10;
/** Between two things that stand side by side. */
export const GAP = 40;
/** So many of the things nearest by are looked at for a place beside them. */
const NEAREST = 40;

/** The upper left corner nearest to the wished one at which a box of this size overlaps nothing
 * and keeps the gap; on the grid. */
export function freePlace(taken: readonly Box[], { width, height }: Size, wish: Point): Point {
  const at = { x: snapped(wish.x), y: snapped(wish.y) };
  const isFree = ({ x, y }: Point): boolean =>
    taken.every(
      (box) =>
        x >= box.x + box.width + GAP ||
        y >= box.y + box.height + GAP ||
        x + width + GAP <= box.x ||
        y + height + GAP <= box.y,
    );
  if (isFree(at)) return at;
  const far = ({ x, y }: Point): number => Math.hypot(x - at.x, y - at.y);
  const near = [...taken].sort((one, other) => far(one) - far(other)).slice(0, NEAREST);
  // Whatever the nearest free place is, it is the wished one, or it touches something.
  const columns = near.flatMap((box) => [up(box.x + box.width + GAP), down(box.x - width - GAP)]);
  const rows = near.flatMap((box) => [up(box.y + box.height + GAP), down(box.y - height - GAP)]);
  const places = [at.x, ...columns].flatMap((x) => [at.y, ...rows].map((y) => ({ x, y })));
  places.sort((one, other) => far(one) - far(other));
  return places.find(isFree) ?? below(taken, at.x);
}

/** Below everything there is always room. */
function below(taken: readonly Box[], x: number): Point {
  return { x, y: up(Math.max(...taken.map((box) => box.y + box.height)) + GAP) };
}

const snapped = (value: number): number => Math.round(value / GRID) * GRID;
const up = (value: number): number => Math.ceil(value / GRID) * GRID;
const down = (value: number): number => Math.floor(value / GRID) * GRID;
