import { Handle, type NodeProps, Position } from "@xyflow/react";
import { memo } from "react";
import { sheetOf } from "../graph/model";
import { outputType } from "../graph/sockets";
import { useCatalog } from "../stores/catalog";
import { useTab } from "../stores/documents";
import { typeStyle } from "./colours";
import type { FlowNode } from "./flow";
import { inputKey, outputKey } from "./keys";

/** A bend in a link. */
export const Reroute = memo(function Reroute({ id, selected }: NodeProps<FlowNode>) {
  const catalog = useCatalog((state) => state.catalog);
  const type = useTab((tab) => {
    const workflow = tab.history.present;
    return outputType(workflow, sheetOf(workflow, tab.sheet), catalog, id, 0);
  }, "*");
  return (
    <div className={selected ? "reroute node-selected" : "reroute"} style={typeStyle(type)}>
      <Handle type="target" position={Position.Left} id={inputKey("")} className="socket" />
      <span className="reroute-grip" />
      <Handle type="source" position={Position.Right} id={outputKey(0)} className="socket" />
    </div>
  );
});
