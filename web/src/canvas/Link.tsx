import {
  BaseEdge,
  type ConnectionLineComponentProps,
  type EdgeProps,
  getBezierPath,
} from "@xyflow/react";
import { memo } from "react";
import { tabNow } from "../stores/documents";
import { typeStyle } from "./colours";
import type { FlowEdge, FlowNode } from "./flow";
import { between, looseEnd, whyNot } from "./linking";

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
  const { fromX, fromY, toX, toY, fromPosition, toPosition, fromHandle, toHandle } = props;
  const [path] = getBezierPath({
    sourceX: fromX,
    sourceY: fromY,
    sourcePosition: fromPosition,
    targetX: toX,
    targetY: toY,
    targetPosition: toPosition,
    curvature: 0.35,
  });
  const tab = tabNow();
  const type = (tab && looseEnd(tab, fromHandle)?.type) ?? "*";
  const link = toHandle ? between(fromHandle, toHandle) : undefined;
  const why = link && whyNot(link);
  return (
    <g className="link link-air" style={typeStyle(type)}>
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
