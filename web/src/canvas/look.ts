/** Goes to nodes, wherever in their workflow they stand. */

import { locate, type Place, wayTo } from "../graph/locate";
import { type Tab, tabNow, useDocuments } from "../stores/documents";
import { useUi } from "../stores/ui";

/** Shows and selects the node of a prompt's id; whether the open workflow has it. */
export function look(id: string): boolean {
  const tab = tabNow();
  const place = tab && locate(tab.history.present, id);
  if (!place) return false;
  go(tab, place, [place.node.id]);
  return true;
}

/** Shows and selects nodes of a sheet, all of it where there are none; whether there is a way. */
export function lookInto(sheet: string, nodes: readonly string[]): boolean {
  const tab = tabNow();
  const path = tab && wayTo(tab.history.present, sheet);
  if (!path) return false;
  go(tab, { sheet, path }, nodes);
  return true;
}

function go(tab: Tab, { sheet, path }: Pick<Place, "sheet" | "path">, nodes: readonly string[]) {
  const { enter, leave, select } = useDocuments.getState();
  useUi.getState().set({ form: false });
  if (tab.sheet !== sheet) {
    leave(0);
    for (const step of path) enter(step.host, step.sheet);
  }
  select(nodes);
  // A sheet that was just entered has to be drawn first.
  requestAnimationFrame(() =>
    requestAnimationFrame(() =>
      useUi.getState().view?.fit(nodes.length > 0 ? [...nodes] : undefined),
    ),
  );
}
