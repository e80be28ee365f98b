/** Nodes put in line, and apart from each other by equal gaps. */

import { place } from "./edits";
import type { Size } from "./layout";
import type { Point, Sheet } from "./model";

/** Which edges come into line, or which way nodes are put apart. */
export type Side = "left" | "right" | "top" | "bottom" | "columns" | "rows";

interface Sized extends Point, Size {
  id: string;
}

const GAP = 40;

/** The sheet with some nodes in line, or apart by equal gaps; of fewer than two, as it is. */
export function align(
  sheet: Sheet,
  ids: readonly string[],
  sizes: ReadonlyMap<string, Size>,
  side: Side,
): Sheet {
  const boxes = ids.flatMap((id): Sized[] => {
    const node = sheet.nodes[id];
    const size = sizes.get(id) ?? { width: node?.width ?? 260, height: 100 };
    return node ? [{ id, x: node.x, y: node.y, ...size }] : [];
  });
  if (boxes.length < 2) return sheet;
  return place(sheet, new Map(placed(boxes, side).map(({ id, x, y }) => [id, { x, y }])));
}

function placed(boxes: readonly Sized[], side: Side): Sized[] {
  const least = (of: (box: Sized) => number): number => Math.min(...boxes.map(of));
  const most = (of: (box: Sized) => number): number => Math.max(...boxes.map(of));
  switch (side) {
    case "left": {
      const x = least((box) => box.x);
      return boxes.map((box) => ({ ...box, x }));
    }
    case "top": {
      const y = least((box) => box.y);
      return boxes.map((box) => ({ ...box, y }));
    }
    case "right": {
      const right = most((box) => box.x + box.width);
      return boxes.map((box) => ({ ...box, x: right - box.width }));
    }
    case "bottom": {
      const bottom = most((box) => box.y + box.height);
      return boxes.map((box) => ({ ...box, y: bottom - box.height }));
    }
    case "columns": {
      let x = least((box) => box.x);
      return [...boxes]
        .sort((one, other) => one.x - other.x)
        .map((box) => {
          const put = { ...box, x };
          x += box.width + GAP;
          return put;
        });
    }
    case "rows": {
      let y = least((box) => box.y);
      return [...boxes]
        .sort((one, other) => one.y - other.y)
        .map((box) => {
          const put = { ...box, y };
          y += box.height + GAP;
          return put;
        });
    }
  }
}
