import { type NodeProps, NodeResizeControl } from "@xyflow/react";
import { memo } from "react";
import { setValue } from "../graph/edits";
import { useDocuments } from "../stores/documents";
import { t } from "../strings";
import type { FlowNode } from "./flow";

/** Words on the canvas. */
export const Note = memo(function Note({ data, selected }: NodeProps<FlowNode>) {
  const { node } = data;
  if (!node) return null;
  const { editSheet, settle } = useDocuments.getState();
  const text = node.values.text ?? "";
  return (
    <div className={selected ? "note node-selected" : "note"}>
      <div className="note-title">{node.title ?? t.note}</div>
      <textarea
        className="nodrag nowheel"
        aria-label={node.title ?? t.note}
        placeholder={t.notePlaceholder}
        value={String(text)}
        onChange={({ target }) =>
          editSheet(
            t.edits.value(t.note),
            (sheet) => setValue(sheet, node.id, "text", target.value),
            `value:${node.id}`,
          )
        }
        onBlur={settle}
      />
      <NodeResizeControl
        position="bottom-right"
        minWidth={120}
        minHeight={70}
        className="note-resize"
      />
    </div>
  );
});
