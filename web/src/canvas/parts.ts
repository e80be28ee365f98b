/** Parts of the document that nodes listen to: each is the same until what it tells of changes. */

import { useMemo } from "react";
import type { Folded } from "../graph/kinds";
import { linkedInputs, sheetOf, type Workflow } from "../graph/model";
import { useTab } from "../stores/documents";

const NONE: Workflow["subgraphs"] = {};

/** What sockets and titles hang on. */
export function useFolded(): Folded {
  const subgraphs = useTab((tab) => tab.history.present.subgraphs, NONE);
  return useMemo(() => ({ subgraphs }), [subgraphs]);
}

/** Which inputs of a node have a link. */
export function useLinked(id: string): ReadonlySet<string> {
  // As one word, so that a link elsewhere renders nothing here.
  const names = useTab(
    (tab) => JSON.stringify([...linkedInputs(sheetOf(tab.history.present, tab.sheet), id)]),
    "[]",
  );
  return useMemo(() => new Set(JSON.parse(names) as string[]), [names]);
}
