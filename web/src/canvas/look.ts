/** Goes to a node, wherever in its workflow it stands. */

import { locate } from "../graph/locate";
import { tabNow, useDocuments } from "../stores/documents";
import { useUi } from "../stores/ui";

/** Shows and selects the node of a prompt's id; whether the open workflow has it. */
export function look(id: string): boolean {
  const tab = tabNow();
  const place = tab && locate(tab.history.present, id);
  if (!place) return false;
  const { enter, leave, select } = useDocuments.getState();
  if (tab.sheet !== place.sheet) {
    leave(0);
    for (const step of place.path) enter(step.host, step.sheet);
  }
  select([place.node.id]);
  // A sheet that was just entered has to be drawn first.
  requestAnimationFrame(() =>
    requestAnimationFrame(() => useUi.getState().view?.fit([place.node.id])),
  );
  return true;
}
