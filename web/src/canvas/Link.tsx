import {
  BaseEdge,
  type ConnectionLineComponentProps,
  type EdgeProps,
  getBezierPath,
  Position,
  ViewportPortal,
} from "@xyflow/react";
import { memo } from "react";
import { tabNow } from "../stores/documents";
import { useUi } from "../stores/ui";
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

/** The link that was let go in the void, for as long as a node is looked for that takes it. */
export function WaitingLink() {
  const palette = useUi((ui) => ui.palette);
  if (!palette?.loose || !palette.from || !palette.place) return null;
  const { loose, from, place } = palette;
  const [near, far] =
    loose.side === "output" ? [Position.Right, Position.Left] : [Position.Left, Position.Right];
  const [path] = getBezierPath({
    sourceX: from.x,
    sourceY: from.y,
    sourcePosition: near,
    targetX: place.x,
    targetY: place.y,
    targetPosition: far,
    curvature: 0.35,
  });
  return (
    <ViewportPortal>
      <svg className="link link-waiting" aria-hidden="true" style={typeStyle(loose.type)}>
        <path d={path} />
        <circle cx={place.x} cy={place.y} r={4} />
      </svg>
    </ViewportPortal>
  );
}
