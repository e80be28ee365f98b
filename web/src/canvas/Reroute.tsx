import type { NodeProps } from "@xyflow/react";
import { memo } from "react";
import { sheetOf } from "../graph/model";
import { outputType } from "../graph/sockets";
import { useCatalog } from "../stores/catalog";
import { useTab } from "../stores/documents";
import { typeStyle } from "./colours";
import type { FlowNode } from "./flow";
import { inputKey, outputKey } from "./keys";
import { SocketHandle } from "./SocketHandle";

/** A bend in a link. */
export const Reroute = memo(function Reroute({ id, selected }: NodeProps<FlowNode>) {
  const catalog = useCatalog((state) => state.catalog);
  const type = useTab((tab) => {
    const workflow = tab.history.present;
    return outputType(workflow, sheetOf(workflow, tab.sheet), catalog, id, 0);
  }, "*");
  return (
    <div className={selected ? "reroute node-selected" : "reroute"} style={typeStyle(type)}>
      <SocketHandle type="target" id={inputKey("")} />
      <span className="reroute-grip" />
      <SocketHandle type="source" id={outputKey(0)} />
    </div>
  );
});
