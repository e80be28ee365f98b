/** All that is wrong with a workflow, as one list: found here on any sheet, said by the service, and
 * what its last run failed by or remarked. */

import { useMemo } from "react";
import type { Catalog } from "../graph/kinds";
import { locate, withNames } from "../graph/locate";
import type { Workflow } from "../graph/model";
import { allProblems, type Found } from "../graph/problems";
import { type JobRun, warningsOf } from "../run/progress";
import { useCatalog } from "../stores/catalog";
import { complaints, failures, type Refusals } from "../stores/complaints";
import type { Tab } from "../stores/documents";
import { useLatestJob, useRun } from "../stores/run";
import { problemText } from "../strings/refused";

export interface Row {
  /** As in the prompt: "12:7". */
  node: string;
  text: string;
  /** It keeps the graph from running, and was tried; or not yet; a run failed by it; a run did its
   * work all the same. */
  kind: "refused" | "found" | "failed" | "remark";
}

/** What is wrong with an open workflow now. */
export function useProblemRows(tab: Tab): Row[] {
  const catalog = useCatalog((state) => state.catalog);
  const workflow = tab.history.present;
  const refused = useRun((state) => state.refused[tab.id]);
  const job = useLatestJob(tab.id);
  const unsupported = useCatalog((state) => state.unsupported);
  const found = useMemo(() => allProblems(workflow, catalog), [workflow, catalog]);
  return useMemo(
    () => [
      ...rowsInTheWay(workflow, catalog, refused, found, unsupported),
      ...rowsOfRun(workflow, catalog, job),
    ],
    [workflow, catalog, refused, found, unsupported, job],
  );
}

/** What keeps an open workflow from running now: how many nodes, by how many problems. */
export function useInTheWay(tab: Tab): { nodes: number; problems: number } {
  const rows = useProblemRows(tab).filter(({ kind }) => kind === "refused" || kind === "found");
  return { nodes: new Set(rows.map(({ node }) => node)).size, problems: rows.length };
}

function rowsInTheWay(
  workflow: Workflow,
  catalog: Catalog,
  refused: Refusals | undefined,
  found: readonly Found[],
  unsupported: ReadonlySet<string>,
): Row[] {
  const tried = refused?.errors ?? {};
  const rows = found.map(({ node, leaf, problem }): Row => {
    const kind = leaf in tried ? "refused" : "found";
    return { node, text: problemText(problem, unsupported), kind };
  });
  for (const node of Object.keys(tried)) {
    const own = found.flatMap(({ problem, leaf, leafInput }) =>
      leaf !== node ? [] : leafInput ? [{ ...problem, input: leafInput }] : [problem],
    );
    for (const said of complaints(refused, node, workflow, own)) {
      rows.push({ node, text: withNames(said, workflow, catalog), kind: "refused" });
    }
  }
  return rows;
}

function rowsOfRun(workflow: Workflow, catalog: Catalog, job: JobRun | undefined): Row[] {
  if (!job) return [];
  const failed = failures(job, workflow).map(
    ([node, text]): Row => ({ node, text: withNames(text, workflow, catalog), kind: "failed" }),
  );
  const remarks = Object.entries(job.nodes).flatMap(([node, run]) =>
    locate(workflow, node)
      ? warningsOf(run).map((text): Row => ({ node, text, kind: "remark" }))
      : [],
  );
  return [...failed, ...remarks];
}
