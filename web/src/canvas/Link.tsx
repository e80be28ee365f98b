import {
  BaseEdge,
  type ConnectionLineComponentProps,
  type EdgeProps,
  getBezierPath,
} from "@xyflow/react";
import { memo } from "react";
import { refusal } from "../graph/connect";
import { outputType, socketsOf } from "../graph/kinds";
import { linkedInputs, sheetOf } from "../graph/model";
import { catalogNow } from "../stores/catalog";
import { tabNow } from "../stores/documents";
import { refused } from "../strings/refused";
import { typeStyle } from "./colours";
import type { FlowEdge, FlowNode } from "./flow";
import { drawn, inputOf, slotOf } from "./keys";

/** A link in the colour of what flows through it. */
export const Link = memo(function Link(props: EdgeProps<FlowEdge>) {
  const [path] = getBezierPath({ ...props, curvature: 0.35 });
  const classes = props.selected ? "link link-selected" : "link";
  return (
    <g className={classes} style={typeStyle(props.data?.type ?? "*")}>
      <BaseEdge path={path} interactionWidth={16} />
    </g>
  );
});

/** The link that is being drawn; beside its end stands why it may not go there. */
export function LinkInAir(props: ConnectionLineComponentProps<FlowNode>) {
  const { fromX, fromY, toX, toY, fromPosition, toPosition, fromNode, fromHandle } = props;
  const [path] = getBezierPath({
    sourceX: fromX,
    sourceY: fromY,
    sourcePosition: fromPosition,
    targetX: toX,
    targetY: toY,
    targetPosition: toPosition,
    curvature: 0.35,
  });
  const why = whyNot(props);
  return (
    <g className="link link-air" style={typeStyle(typeOf(fromNode.id, fromHandle.id ?? ""))}>
      <path d={path} className="react-flow__edge-path" fill="none" />
      <circle cx={toX} cy={toY} r={4} />
      {why && (
        <text x={toX + 14} y={toY + 4} className="link-why">
          {why}
        </text>
      )}
    </g>
  );
}

function typeOf(id: string, key: string): string {
  const tab = tabNow();
  if (!tab) return "*";
  const workflow = tab.history.present;
  const sheet = sheetOf(workflow, tab.sheet);
  const catalog = catalogNow();
  if (key.startsWith("out:")) return outputType(workflow, sheet, catalog, id, slotOf(key));
  const node = sheet.nodes[id];
  const inputs = node ? socketsOf(workflow, node, catalog, linkedInputs(sheet, id)).inputs : [];
  return inputs.find(({ name }) => name === inputOf(key))?.type ?? "*";
}

function whyNot(props: ConnectionLineComponentProps<FlowNode>): string | null {
  const { fromNode, fromHandle, toNode, toHandle } = props;
  const tab = tabNow();
  if (!tab || !toNode || !toHandle) return null;
  const outward = fromHandle.type === "source";
  const [source, target] = outward ? [fromNode, toNode] : [toNode, fromNode];
  const [out, into] = outward ? [fromHandle, toHandle] : [toHandle, fromHandle];
  const link = drawn({
    source: source.id,
    sourceHandle: out.id ?? null,
    target: target.id,
    targetHandle: into.id ?? null,
  });
  if (!link) return null;
  const workflow = tab.history.present;
  const why = refusal(workflow, sheetOf(workflow, tab.sheet), catalogNow(), link);
  return why && refused(why);
}
