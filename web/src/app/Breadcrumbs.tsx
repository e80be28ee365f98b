import { ChevronRight } from "lucide-react";
import { Fragment } from "react";
import { type Tab, useDocuments } from "../stores/documents";
import { t } from "../strings";

/** The way into a subgraph, and back out. */
export function Breadcrumbs({ tab }: { tab: Tab }) {
  if (tab.path.length === 0) return null;
  const { leave } = useDocuments.getState();
  const { subgraphs } = tab.history.present;
  return (
    <nav className="trail" aria-label={t.subgraph.trail}>
      <button type="button" onClick={() => leave(0)}>
        {tab.name}
      </button>
      {tab.path.map(({ host, sheet }, depth) => {
        const name = subgraphs[sheet]?.name;
        const last = depth === tab.path.length - 1;
        return (
          <Fragment key={host}>
            <ChevronRight size={14} aria-hidden="true" />
            {last ? (
              <span aria-current="location">{name}</span>
            ) : (
              <button type="button" onClick={() => leave(depth + 1)}>
                {name}
              </button>
            )}
          </Fragment>
        );
      })}
    </nav>
  );
}
