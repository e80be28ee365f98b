import { CircleAlert, TriangleAlert } from "lucide-react";
import type { GraphNode } from "../graph/model";
import { problemsOf } from "../graph/problems";
import type { NodeRun } from "../run/progress";
import { useCatalog } from "../stores/catalog";
import { complaints, wordsAt } from "../stores/complaints";
import { prefixOf, useTab } from "../stores/documents";
import { useNodeWarnings, useRun } from "../stores/run";
import { t } from "../strings";
import { useFolded, useLinked } from "./parts";

/** What is wrong with a node, at the node: as it was found here, as the service said, and as its last
 * run remarked. */
export function NodeProblems({ node, run }: { node: GraphNode; run: NodeRun | undefined }) {
  const workflow = useTab((tab) => tab.id, "");
  const prompt = useTab(prefixOf, "") + node.id;
  const catalog = useCatalog((state) => state.catalog);
  const found = problemsOf(useFolded(), node, catalog, useLinked(node.id));
  const refused = useRun((state) => {
    const refusals = state.refused[workflow];
    return refusals?.errors[prompt] ? refusals : undefined;
  });
  const folded = useTab((tab) => tab.history.present.subgraphs[node.type] !== undefined, false);
  const remarks = useNodeWarnings(workflow, prompt, folded);
  // As one text, so that an edit elsewhere renders nothing here.
  const said = useTab(
    (tab) => complaints(refused, prompt, tab.history.present, found).join("\n"),
    "",
  );
  const words = wordsAt(found, refused !== undefined, !node.collapsed);
  const warnings = refused ? [] : words;
  const errors = [...(refused ? words : []), ...said.split("\n"), run?.error ?? ""].filter(Boolean);
  return (
    <>
      {warnings.length > 0 && (
        <div className="node-warnings">
          {warnings.map((text) => (
            <p key={text}>
              <TriangleAlert size={13} aria-hidden="true" /> {text}
            </p>
          ))}
        </div>
      )}
      {remarks.length > 0 && (
        <div className="node-remarks">
          {remarks.map((text) => (
            <p key={text}>
              <TriangleAlert size={13} aria-hidden="true" /> {t.problems.remark} {text}
            </p>
          ))}
        </div>
      )}
      {errors.length > 0 && (
        <div className="node-errors" role="alert">
          {errors.map((text) => (
            <p key={text}>
              <CircleAlert size={13} aria-hidden="true" /> {text}
            </p>
          ))}
        </div>
      )}
    </>
  );
}
