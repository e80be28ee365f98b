import { CircleAlert, TriangleAlert } from "lucide-react";
import { look } from "../canvas/look";

import { locate, placeName } from "../graph/locate";

import { useCatalog } from "../stores/catalog";
import type { Tab } from "../stores/documents";
import { t } from "../strings";
import { useProblemRows } from "./problem_rows";

/** What keeps the graph from running, and what its last run said. */
export function Problems({ tab }: { tab: Tab }) {
  const catalog = useCatalog((state) => state.catalog);
  const workflow = tab.history.present;
  const rows = useProblemRows(tab);
  if (rows.length === 0) return <p className="empty">{t.problems.nothing}</p>;
  return (
    <ul className="problems">
      {rows.map(({ node, text, kind }) => {
        const place = locate(workflow, node);
        const failed = kind === "refused" || kind === "failed";
        const Sign = failed ? CircleAlert : TriangleAlert;
        return (
          <li key={`${node} ${text}`}>
            <button
              type="button"
              className={failed ? "problem-failed" : undefined}
              onClick={() => look(node)}
              disabled={!place}
            >
              <Sign size={14} aria-hidden="true" />
              <span>
                <strong>{place ? placeName(workflow, place, catalog) : node}</strong>
                {kind === "remark" && `${t.problems.remark} `}
                {text}
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}
