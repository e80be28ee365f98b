import { CircleAlert, TriangleAlert } from "lucide-react";
import { useMemo } from "react";
import { look } from "../canvas/look";
import { titleOf } from "../graph/kinds";
import { locate } from "../graph/locate";
import { sheetOf, type Workflow } from "../graph/model";
import { type Problem, problems } from "../graph/problems";
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
  const workflow = tab.history.present;
  const refused = useRun((state) => state.refused[tab.id]);
  const job = useLatestJob(tab.id);
  const found = useMemo(() => {
    const all = new Map<string, Problem[]>();
    for (const [prefix, sheet] of sheetsOf(workflow)) {
      const here = problems(workflow, sheetOf(workflow, sheet), catalog);
      for (const [node, list] of here) all.set(prefix + node, list);
    }
    return all;
  }, [workflow, catalog]);
  const tried = refused?.errors ?? {};
  const rows: Row[] = [...found].flatMap(([node, list]) =>
    list.map((one) => ({ node, text: problemText(one), failed: node in tried })),
  );
  for (const node of Object.keys(tried)) {
    const place = locate(workflow, node);
    if (!place) continue;
    const own = found.get(node) ?? [];
    const said = complaints(refused, node, workflow, place.sheet, place.node, own);
    rows.push(...said.map((text) => ({ node, text, failed: true })));
  }
  for (const [node, { error }] of Object.entries(job?.nodes ?? {})) {
    if (error) rows.push({ node, text: error, failed: true });
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
                <strong>{place ? titleOf(workflow, place.node, catalog) : node}</strong>
                {text}
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

/** Every sheet that is used, and what stands before the ids of its nodes in a prompt. */
function sheetsOf(workflow: Workflow): [prefix: string, sheet: string][] {
  const found: [string, string][] = [["", ""]];
  for (const [prefix, sheet] of found) {
    for (const { id, type, mode } of Object.values(sheetOf(workflow, sheet).nodes)) {
      if (workflow.subgraphs[type] && mode === "run") found.push([`${prefix}${id}:`, type]);
    }
  }
  return found;
}
