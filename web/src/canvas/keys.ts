/** How sockets, groups and ends of subgraphs are named on the canvas. */

import type { Connection } from "@xyflow/react";
import type { Drawn } from "../graph/connect";

export const outputKey = (slot: number): string => `out:${slot}`;
export const inputKey = (name: string): string => `in:${name}`;

export const slotOf = (key: string): number => Number(key.slice("out:".length));
export const inputOf = (key: string): string => key.slice("in:".length);

type Ends = Pick<Connection, "source" | "target"> &
  Partial<Pick<Connection, "sourceHandle" | "targetHandle">>;

/** A link as the canvas tells of it; undefined where an end is missing. */
export function drawn(ends: Ends): Drawn | undefined {
  const { source, sourceHandle, target, targetHandle } = ends;
  if (!sourceHandle?.startsWith("out:") || !targetHandle?.startsWith("in:")) return undefined;
  return { from: source, slot: slotOf(sourceHandle), to: target, input: inputOf(targetHandle) };
}
