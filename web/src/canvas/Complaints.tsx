import { CircleAlert } from "lucide-react";
import type { GraphNode } from "../graph/model";
import type { NodeRun } from "../run/progress";
import { prefixOf, useTab } from "../stores/documents";
import { useRun } from "../stores/run";

/** What the service said against a node, at the node. */
export function Complaints({ node, run }: { node: GraphNode; run: NodeRun | undefined }) {
  const workflow = useTab((tab) => tab.id, "");
  const prefix = useTab(prefixOf, "");
  const refused = useRun((state) => state.refused[workflow]?.[prefix + node.id]);
  const texts = refused?.errors.map(({ message, details }) => `${message}: ${details}`) ?? [];
  if (run?.error) texts.push(run.error);
  if (texts.length === 0) return null;
  return (
    <div className="node-errors" role="alert">
      {texts.map((text) => (
        <p key={text}>
          <CircleAlert size={13} aria-hidden="true" /> {text}
        </p>
      ))}
    </div>
  );
}
