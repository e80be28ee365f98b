import { type NodeProps, NodeResizeControl } from "@xyflow/react";
import { memo } from "react";
import { changeGroup } from "../graph/edits";
import { useDocuments } from "../stores/documents";
import { t } from "../strings";
import type { FlowNode } from "./flow";

/** A box behind nodes that belong together; moved, it takes them along. */
export const GroupBox = memo(function GroupBox({ data, selected }: NodeProps<FlowNode>) {
  const { group } = data;
  if (!group) return null;
  const { editSheet, settle } = useDocuments.getState();
  return (
    <div className={selected ? "group group-selected" : "group"}>
      <input
        className="group-title nodrag"
        aria-label={t.groupTitle}
        value={group.title}
        onChange={({ target }) =>
          editSheet(
            t.edits.rename,
            (sheet) => changeGroup(sheet, group.id, { title: target.value }),
            `group:${group.id}`,
          )
        }
        onBlur={settle}
      />
      <NodeResizeControl
        position="bottom-right"
        minWidth={120}
        minHeight={80}
        className="note-resize"
      />
    </div>
  );
});
