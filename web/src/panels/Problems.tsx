import { CircleAlert } from "lucide-react";
import { useMemo } from "react";
import { titleOf } from "../graph/kinds";
import { sheetOf } from "../graph/model";
import { problems } from "../graph/problems";
import { useCatalog } from "../stores/catalog";
import { type Tab, useDocuments } from "../stores/documents";
import { useLatestJob, useRun } from "../stores/run";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { problemText } from "../strings/refused";

interface Row {
  node: string;
  text: string;
}

/** What keeps the graph from running: found here, and said by the service. */
export function Problems({ tab }: { tab: Tab }) {
  const catalog = useCatalog((state) => state.catalog);
  const workflow = tab.history.present;
  const sheet = sheetOf(workflow, tab.sheet);
  const refused = useRun((state) => state.refused[tab.id]);
  const job = useLatestJob(tab.id);
  const found = useMemo(() => problems(workflow, sheet, catalog), [workflow, sheet, catalog]);
  const rows: Row[] = [
    ...[...found].flatMap(([node, list]) => list.map((one) => ({ node, text: problemText(one) }))),
    ...Object.entries(refused ?? {}).flatMap(([node, { errors }]) =>
      errors.map(({ message, details }) => ({ node, text: `${message}: ${details}` })),
    ),
    ...Object.entries(job?.nodes ?? {}).flatMap(([node, run]) =>
      run.error ? [{ node, text: run.error }] : [],
    ),
  ];
  if (rows.length === 0) return <p className="empty">{t.problems.nothing}</p>;
  const look = (id: string): void => {
    useDocuments.getState().select([id]);
    useUi.getState().view?.fit([id]);
  };
  return (
    <ul className="problems">
      {rows.map(({ node, text }) => {
        const at = sheet.nodes[node];
        return (
          <li key={`${node} ${text}`}>
            <button type="button" onClick={() => look(node)} disabled={!at}>
              <CircleAlert size={14} aria-hidden="true" />
              <span>
                <strong>{at ? titleOf(workflow, at, catalog) : node}</strong>
                {text}
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}
