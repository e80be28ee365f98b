/** Where nodes are put that were just made: where somebody pointed, or at the next free place. */

import type { Loose } from "../graph/connect";
import { freePlace, GAP } from "../graph/free_place";
import type { Catalog } from "../graph/kinds";
import { estimated, NODE_WIDTH, type Size } from "../graph/layout";
import {
  type Box,
  linkedInputs,
  type Point,
  type Sheet,
  sheetOf,
  type Workflow,
} from "../graph/model";
import { catalogNow } from "../stores/catalog";
import { tabNow } from "../stores/documents";
import { useUi } from "../stores/ui";

/** The smallest box around some boxes, of which there is one at least. */
export function boundsOf(boxes: readonly Box[]): Box {
  const x = Math.min(...boxes.map((box) => box.x));
  const y = Math.min(...boxes.map((box) => box.y));
  const right = Math.max(...boxes.map((box) => box.x + box.width));
  const bottom = Math.max(...boxes.map((box) => box.y + box.height));
  return { x, y, width: right - x, height: bottom - y };
}

/** What the nodes of a sheet cover: as they were drawn, else as they will be. */
export function boxesOf(
  workflow: Workflow,
  sheet: Sheet,
  catalog: Catalog,
  drawn?: ReadonlyMap<string, Size>,
): (Box & { id: string })[] {
  return Object.values(sheet.nodes).map((node) => {
    const size =
      drawn?.get(node.id) ?? estimated(workflow, node, catalog, linkedInputs(sheet, node.id));
    return { id: node.id, x: node.x, y: node.y, width: size.width, height: size.height };
  });
}

/** What the nodes of the sheet that is looked at cover. */
export function boxesNow(): (Box & { id: string })[] {
  const tab = tabNow();
  if (!tab) return [];
  const workflow = tab.history.present;
  const drawn = useUi.getState().view?.sizes();
  return boxesOf(workflow, sheetOf(workflow, tab.sheet), catalogNow(), drawn);
}

/** The corner of a node that is put where somebody pointed; one that an input waits for stands left
 * of the point. */
export const pointed = (at: Point, loose?: Loose): Point =>
  loose?.side === "input" ? { x: at.x - NODE_WIDTH, y: at.y } : at;

/** The next free place: right of what is selected, else nearest to the middle of what is seen. */
export function nextPlace(size: Size): Point {
  const taken = boxesNow();
  const selected = taken.filter(({ id }) => tabNow()?.selection.has(id));
  if (selected.length > 0) {
    const { x, y, width } = boundsOf(selected);
    return freePlace(taken, size, { x: x + width + GAP, y });
  }
  const middle = useUi.getState().view?.middle() ?? { x: 0, y: 0 };
  const corner = { x: middle.x - size.width / 2, y: middle.y - size.height / 2 };
  return freePlace(taken, size, corner);
}
