import { Handle, type NodeProps, Position } from "@xyflow/react";
import { memo } from "react";
import { ENTRY } from "../graph/model";
import { useTab } from "../stores/documents";
import { t } from "../strings";
import { typeStyle } from "./colours";
import type { FlowNode } from "./flow";
import { inputKey, outputKey } from "./keys";

/** Where a subgraph's inputs come in, or its outputs leave. */
export const End = memo(function End({ id }: NodeProps<FlowNode>) {
  const entry = id === ENTRY;
  const subgraph = useTab((tab) => tab.history.present.subgraphs[tab.sheet], undefined);
  const sockets = (entry ? subgraph?.inputs : subgraph?.outputs) ?? [];
  return (
    <div className="node node-end">
      <header className="node-header">
        <span className="node-title">{entry ? t.subgraph.inputs : t.subgraph.outputs}</span>
      </header>
      <div className="node-rows">
        {sockets.map((socket, slot) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a socket is known by its number
          <div className="node-row" key={slot} style={typeStyle(socket.type)}>
            <span className={entry ? "socket-label socket-label-out" : "socket-label"}>
              {socket.label || socket.name}
              <Handle
                type={entry ? "source" : "target"}
                position={entry ? Position.Right : Position.Left}
                id={entry ? outputKey(slot) : inputKey(String(slot))}
                className="socket"
              />
            </span>
          </div>
        ))}
      </div>
    </div>
  );
});
