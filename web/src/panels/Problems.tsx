import { CircleAlert, TriangleAlert } from "lucide-react";
import { useMemo } from "react";
import { look } from "../canvas/look";
import { locate, placeName, withNames } from "../graph/locate";
import { allProblems } from "../graph/problems";
import { useCatalog } from "../stores/catalog";
import { complaints } from "../stores/complaints";
import type { Tab } from "../stores/documents";
import { useLatestJob, useRun } from "../stores/run";
import { t } from "../strings";
import { problemText } from "../strings/refused";

interface Row {
  /** As in the prompt: "12:7". */
  node: string;
  text: string;
  /** It was tried, and failed. */
  failed: boolean;
}

/** What keeps the graph from running: found here on any sheet, and said by the service. */
export function Problems({ tab }: { tab: Tab }) {
  const catalog = useCatalog((state) => state.catalog);
  const unsupported = useCatalog((state) => state.unsupported);
  const workflow = tab.history.present;
  const refused = useRun((state) => state.refused[tab.id]);
  const job = useLatestJob(tab.id);
  const found = useMemo(() => allProblems(workflow, catalog), [workflow, catalog]);
  const tried = refused?.errors ?? {};
  const rows: Row[] = found.map(({ node, leaf, problem }) => ({
    node,
    text: problemText(problem, unsupported),
    failed: leaf in tried,
  }));
  for (const node of Object.keys(tried)) {
    const place = locate(workflow, node);
    if (!place) continue;
    const own = found.flatMap(({ problem, leaf, leafInput }) =>
      leaf !== node ? [] : leafInput ? [{ ...problem, input: leafInput }] : [problem],
    );
    const said = complaints(refused, node, workflow, place.sheet, place.node, own);
    const words = said.map((text) => withNames(text, workflow, catalog));
    rows.push(...words.map((text) => ({ node, text, failed: true })));
  }
  for (const [node, { error }] of Object.entries(job?.nodes ?? {})) {
    if (error) rows.push({ node, text: withNames(error, workflow, catalog), failed: true });
  }
  if (rows.length === 0) return <p className="empty">{t.problems.nothing}</p>;
  return (
    <ul className="problems">
      {rows.map(({ node, text, failed }) => {
        const place = locate(workflow, node);
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
                {text}
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}
