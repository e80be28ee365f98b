import {
  Handle,
  type NodeProps,
  NodeResizeControl,
  Position,
  useStoreApi,
  useUpdateNodeInternals,
} from "@xyflow/react";
import { memo, useContext, useEffect, useState } from "react";
import { type InputKind, isEditorOnly, shortName, titleOf } from "../graph/kinds";
import type { GraphNode, Json, Socket } from "../graph/model";
import { socketsOf } from "../graph/sockets";
import { useCatalog } from "../stores/catalog";
import { stillFails } from "../stores/complaints";
import { prefixOf, useTab } from "../stores/documents";
import { useNodeRun, useRun } from "../stores/run";
import { t } from "../strings";
import { Field } from "../widgets/Field";
import { tipOf, tipped } from "../widgets/tip";
import { typeStyle } from "./colours";
import type { FlowNode } from "./flow";
import { Header } from "./Header";
import { inputKey, inputOf, outputKey } from "./keys";
import { NodeProblems } from "./NodeProblems";
import { FarAway } from "./painted";
import { useFolded, useLinked } from "./parts";
import { Shown } from "./Shown";
import { SocketHandle } from "./SocketHandle";
import { Speaking } from "./Speaking";
import { TurnsOfSheet } from "./turns";

/** A node on the canvas. What is inside is rendered again only when the node itself changes. */
export const Node = memo(function Node({ data, selected, height }: NodeProps<FlowNode>) {
  const far = useContext(FarAway);
  const { node } = data;
  if (!node) return null;
  // What is seen of it is painted by the sheet.
  if (far) {
    return (
      <div style={{ height }}>
        <KnownSockets node={node} />
      </div>
    );
  }
  return <NearNode node={node} selected={selected} height={height} />;
});

interface Part {
  node: GraphNode;
  selected: boolean;
}

function NearNode({ height, ...part }: Part & { height?: number }) {
  const turns = useContext(TurnsOfSheet);
  const [full, setFull] = useState(() => turns.take());
  useEffect(() => (full ? undefined : turns.wait(() => setFull(true))), [full, turns]);
  return full ? <FullNode {...part} /> : <PlainNode {...part} height={height} />;
}

function classesOf(node: GraphNode, selected: boolean, state?: string): string {
  const marks = [node.mode !== "run" && node.mode, selected && "selected", state];
  return ["node", ...marks.filter(Boolean).map((mark) => `node-${mark}`)].join(" ");
}

function useNodeState(node: GraphNode) {
  const workflow = useTab((tab) => tab.id, "");
  const prefix = useTab(prefixOf, "");
  const folded = useTab((tab) => tab.history.present.subgraphs[node.type] !== undefined, false);
  const run = useNodeRun(workflow, prefix + node.id, folded);
  const job = useRun((state) =>
    run?.state === "failed" ? state.jobs[state.latest[workflow] ?? ""] : undefined,
  );
  // What led to it was changed, or undone: it says nothing about the node any more.
  const mended = useTab(
    (tab) => job !== undefined && !stillFails(job, tab.history.present, prefix + node.id),
    false,
  );
  return mended ? undefined : run;
}

/** A node that waits to be drawn in full. */
function PlainNode({ node, selected, height }: Part & { height?: number }) {
  const catalog = useCatalog((state) => state.catalog);
  const title = useTab((tab) => titleOf(tab.history.present, node, catalog), node.type);
  const tint = typeStyle(catalog.get(node.type)?.outputs[0]?.type ?? "*");
  return (
    <div className={`${classesOf(node, selected)} node-plain`} style={{ height }}>
      <header className="node-header" style={tint}>
        <span className="node-title">{title}</span>
      </header>
      <KnownSockets node={node} />
    </div>
  );
}

/** The sockets' places as they were, or will be: React Flow reads them from the page alone. */
const KnownSockets = memo(function KnownSockets({ node }: { node: GraphNode }) {
  const store = useStoreApi();
  const linked = useLinked(node.id);
  const { source, target } = store.getState().nodeLookup.get(node.id)?.internals.handleBounds ?? {};
  const inputs = target?.filter(({ id }) => linked.has(inputOf(id ?? "")));
  return [...(inputs ?? []), ...(source ?? [])].map(({ id, type, position, x, y, ...size }) => (
    <i
      key={id}
      className={`socket-place ${type}`}
      data-handleid={id}
      data-handlepos={position}
      style={{ left: x, top: y, width: size.width, height: size.height }}
    />
  ));
});

const FullNode = memo(function FullNode({ node, selected }: Part) {
  const run = useNodeState(node);
  const known = useCatalog((state) => state.catalog.has(node.type));
  const unsupported = useCatalog((state) => state.unsupported.has(node.type));
  const subgraph = useTab((tab) => tab.history.present.subgraphs[node.type] !== undefined, false);
  const unknown = !known && !subgraph && !isEditorOnly(node.type);
  const measure = useUpdateNodeInternals();
  useEffect(() => measure(node.id), [measure, node.id]);
  return (
    <div className={`${classesOf(node, selected, run?.state)}${unknown ? " node-unknown" : ""}`}>
      <Header node={node} run={run} />
      {node.collapsed ? <HiddenSockets node={node} /> : <Rows node={node} />}
      {unknown && <p className="node-note">{unsupported ? t.node.unsupported : t.node.unknown}</p>}
      <NodeProblems node={node} run={run} />
      {run && !node.collapsed && <Shown run={run} />}
      {run && !node.collapsed && <Speaking node={node.id} />}
      <NodeResizeControl position="bottom-right" minWidth={180} className="node-resize" />
    </div>
  );
});

function Rows({ node }: { node: GraphNode }) {
  const catalog = useCatalog((state) => state.catalog);
  const workflow = useFolded();
  const linked = useLinked(node.id);
  const { inputs, outputs, bare = [] } = socketsOf(workflow, node, catalog, linked);
  const isField = ({ widget, kind }: (typeof inputs)[number]): boolean =>
    widget === true && kind?.widget?.kind !== "kept";
  const sockets = inputs.filter((input) => !isField(input));
  const widgets = inputs.filter(isField);
  const told = catalog.get(node.type)?.outputs;
  const rows = Math.max(sockets.length, outputs.length);
  return (
    <div className="node-rows">
      {Array.from({ length: rows }, (_, row) => {
        const [input, output] = [sockets[row], outputs[row]];
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other identity
          <div className="node-row" key={row}>
            {input && (
              <Input socket={input} optional={input.optional} linked={linked.has(input.name)} />
            )}
            {output && <Output socket={output} slot={row} tooltip={told?.[row]?.tooltip} />}
          </div>
        );
      })}
      {widgets.map((input) => (
        <WidgetRow
          key={input.name}
          node={node.id}
          socket={input}
          kind={input.kind}
          value={node.values[input.name] ?? input.kind?.default ?? null}
          after={node.after[input.name]}
          linked={linked.has(input.name)}
        />
      ))}
      {bare.map(
        (kind) =>
          kind.widget && (
            <div className="node-widget" key={kind.name}>
              <Field
                node={node.id}
                input={kind}
                widget={kind.widget}
                value={node.values[kind.name] ?? kind.default ?? null}
                after={node.after[kind.name]}
              />
            </div>
          ),
      )}
    </div>
  );
}

interface InputProps {
  socket: Socket & { kind?: InputKind };
  optional: boolean;
  linked: boolean;
}

function Input({ socket, optional, linked }: InputProps) {
  const classes = ["socket", optional && "socket-optional", linked && "socket-linked"];
  return (
    <span
      className={`socket-label ${linked ? "" : "socket-label-open"}`}
      style={typeStyle(socket.type)}
      {...tipped(socket.kind ? tipOf(socket.kind) : { words: "", facts: socket.type })}
    >
      <SocketHandle
        type="target"
        id={inputKey(socket.name)}
        className={classes.filter(Boolean).join(" ")}
      />
      {socket.label || shortName(socket.name)}
    </span>
  );
}

interface OutputProps {
  socket: Socket;
  slot: number;
  tooltip: string | undefined;
}

function Output({ socket, slot, tooltip }: OutputProps) {
  return (
    <span
      className="socket-label socket-label-out"
      style={typeStyle(socket.type)}
      {...tipped({ words: tooltip ?? "", facts: `${socket.name} · ${socket.type}` })}
    >
      {socket.label || shortName(socket.name)}
      <SocketHandle type="source" id={outputKey(slot)} />
    </span>
  );
}

interface WidgetRowProps {
  node: string;
  socket: Socket;
  kind?: InputKind;
  value: Json;
  after?: GraphNode["after"][string];
  linked: boolean;
}

const WidgetRow = memo(function WidgetRow(props: WidgetRowProps) {
  const { node, socket, kind, value, after, linked } = props;
  const classes = linked ? "socket socket-linked" : "socket socket-widget";
  return (
    <div className="node-widget" style={typeStyle(socket.type)}>
      <SocketHandle type="target" id={inputKey(socket.name)} className={classes} />
      {kind?.widget && !linked ? (
        <Field node={node} input={kind} widget={kind.widget} value={value} after={after} />
      ) : (
        <span className="socket-label">{socket.label || shortName(socket.name)}</span>
      )}
    </div>
  );
});

/** Places for links to end at where the sockets themselves are not drawn. */
function HiddenSockets({ node }: { node: GraphNode }) {
  const catalog = useCatalog((state) => state.catalog);
  const linked = useLinked(node.id);
  const workflow = useFolded();
  const { inputs, outputs } = socketsOf(workflow, node, catalog, linked);
  const links = inputs.filter(({ name }) => linked.has(name));
  return (
    <div className="node-hidden-sockets">
      {links.map(({ name }) => (
        <Handle
          key={name}
          type="target"
          position={Position.Left}
          id={inputKey(name)}
          className="socket-hidden"
        />
      ))}
      {outputs.map((_output, slot) => (
        <Handle
          // biome-ignore lint/suspicious/noArrayIndexKey: an output is known by its number
          key={slot}
          type="source"
          position={Position.Right}
          id={outputKey(slot)}
          className="socket-hidden"
        />
      ))}
    </div>
  );
}
