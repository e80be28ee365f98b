import { ChevronRight } from "lucide-react";
import { ROOT } from "../graph/model";
import { type Tab, useDocuments } from "../stores/documents";

/** The way into a subgraph, and back out. */
export function Trail({ tab }: { tab: Tab }) {
  if (tab.sheet === ROOT) return null;
  const { enter } = useDocuments.getState();
  return (
    <nav className="trail">
      <button type="button" onClick={() => enter(ROOT)}>
        {tab.name}
      </button>
      <ChevronRight size={14} aria-hidden="true" />
      <span>{tab.history.present.subgraphs[tab.sheet]?.name}</span>
    </nav>
  );
}
