import { CircleAlert, TriangleAlert } from "lucide-react";
import type { GraphNode } from "../graph/model";
import { problemsOf } from "../graph/problems";
import type { NodeRun } from "../run/progress";
import { useCatalog } from "../stores/catalog";
import { complaints, wordsAt } from "../stores/complaints";
import { prefixOf, useTab } from "../stores/documents";
import { useRun } from "../stores/run";
import { useFolded, useLinked } from "./parts";

/** What is wrong with a node, at the node: as it was found here, and as the service said. */
export function Complaints({ node, run }: { node: GraphNode; run: NodeRun | undefined }) {
  const workflow = useTab((tab) => tab.id, "");
  const prompt = useTab(prefixOf, "") + node.id;
  const catalog = useCatalog((state) => state.catalog);
  const found = problemsOf(useFolded(), node, catalog, useLinked(node.id));
  const refused = useRun((state) => {
    const refusals = state.refused[workflow];
    return refusals?.errors[prompt] ? refusals : undefined;
  });
  // As one text, so that an edit elsewhere renders nothing here.
  const said = useTab(
    (tab) => complaints(refused, prompt, tab.history.present, tab.sheet, node, found).join("\n"),
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
