import { type NodeProps, useUpdateNodeInternals } from "@xyflow/react";
import { ArrowDown, ArrowUp, X } from "lucide-react";
import { memo, useEffect } from "react";
import { relabel, reorder, type Side } from "../graph/ends";
import { ENTRY, type Socket } from "../graph/model";
import { useDocuments, useTab } from "../stores/documents";
import { t } from "../strings";
import { typeStyle } from "./colours";
import type { FlowNode } from "./flow";
import { inputKey, outputKey } from "./keys";
import { SocketHandle } from "./SocketHandle";

/** Where a subgraph's inputs come in, or its outputs leave: named, put in order and taken away
 * here; a link to the empty last socket makes a further one. */
export const End = memo(function End({ id }: NodeProps<FlowNode>) {
  const side = id === ENTRY ? "inputs" : "outputs";
  const subgraph = useTab((tab) => tab.history.present.subgraphs[tab.sheet], undefined);
  const sockets = subgraph?.[side];
  const measure = useUpdateNodeInternals();
  // biome-ignore lint/correctness/useExhaustiveDependencies: other sockets are in other places
  useEffect(() => measure(id), [measure, id, sockets]);
  if (!subgraph || !sockets) return null;
  return (
    <div className="node node-end">
      <header className="node-header">
        <span className="node-title">{t.subgraph[side]}</span>
      </header>
      <div className="node-rows">
        {sockets.map((socket, slot) => (
          <Row key={socket.name} socket={socket} at={slot} side={side} subgraph={subgraph.id} />
        ))}
        <div className="node-row" style={typeStyle("*")}>
          <span className={`socket-label ${side === "inputs" ? "socket-label-out" : ""}`}>
            <em>{t.subgraph.further}</em>
            <EndSocket side={side} at={sockets.length} />
          </span>
        </div>
      </div>
    </div>
  );
});

interface RowProps {
  socket: Socket;
  at: number;
  side: Side;
  subgraph: string;
}

function Row({ socket, at, side, subgraph }: RowProps) {
  const { edit, settle } = useDocuments.getState();
  const count = useTab((tab) => tab.history.present.subgraphs[subgraph]?.[side].length ?? 0, 0);
  const name = socket.label || socket.name;
  const order = Array.from({ length: count }, (_, slot) => slot);
  const put = (label: string, slots: readonly number[]): void =>
    edit(label, (workflow) => reorder(workflow, subgraph, side, slots));
  const move = (by: number): void => {
    const slots = order.filter((slot) => slot !== at);
    slots.splice(at + by, 0, at);
    put(t.edits.arrange, slots);
  };
  return (
    <div className="node-row end-row" style={typeStyle(socket.type)} title={socket.type}>
      <span className={`socket-label ${side === "inputs" ? "socket-label-out" : ""}`}>
        <input
          className="end-name nodrag nopan"
          aria-label={t.subgraph.socketName(socket.name)}
          value={socket.label ?? socket.name}
          placeholder={socket.name}
          onChange={({ target }) =>
            edit(
              t.edits.rename,
              (workflow) => relabel(workflow, subgraph, side, at, target.value),
              `socket:${side}:${at}`,
            )
          }
          onBlur={settle}
        />
        <span className="end-buttons nodrag nopan">
          <button
            type="button"
            aria-label={t.subgraph.up(name)}
            disabled={at === 0}
            onClick={() => move(-1)}
          >
            <ArrowUp size={12} />
          </button>
          <button
            type="button"
            aria-label={t.subgraph.down(name)}
            disabled={at === count - 1}
            onClick={() => move(1)}
          >
            <ArrowDown size={12} />
          </button>
          <button
            type="button"
            aria-label={t.subgraph.remove(name)}
            onClick={() =>
              put(
                t.edits.remove(1),
                order.filter((slot) => slot !== at),
              )
            }
          >
            <X size={12} />
          </button>
        </span>
        <EndSocket side={side} at={at} />
      </span>
    </div>
  );
}

function EndSocket({ side, at }: { side: Side; at: number }) {
  return side === "inputs" ? (
    <SocketHandle type="source" id={outputKey(at)} />
  ) : (
    <SocketHandle type="target" id={inputKey(String(at))} />
  );
}
