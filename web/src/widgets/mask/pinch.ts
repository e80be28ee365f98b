/** Two fingers on a picture: how far they are apart zooms it. */

import { type PointerEvent, useRef } from "react";
import type { Point } from "../../graph/model";

/** Between two moves of two fingers. */
export interface Pinch {
  /** How many times as far apart they are as before. */
  factor: number;
  /** What was between them, and what is now, in pixels of the window. */
  from: Point;
  to: Point;
}

/** Follows fingers; `begun` says that a second one came, `pinched` how both moved. Its functions
 * return whether the event belongs to a pinch and means nothing else. */
export function usePinch(begun: () => void, pinched: (pinch: Pinch) => void) {
  const fingers = useRef(new Map<number, Point>());
  /** Until all fingers are gone, the one that stays draws nothing. */
  const pinching = useRef(false);
  return {
    down(event: PointerEvent): boolean {
      if (event.pointerType !== "touch") return false;
      fingers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (fingers.current.size === 2 && !pinching.current) {
        pinching.current = true;
        begun();
      }
      return pinching.current;
    },
    move(event: PointerEvent): boolean {
      const { current: all } = fingers;
      if (!all.has(event.pointerId)) return false;
      const before = [...all.values()];
      all.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (pinching.current && all.size === 2) pinched(between(before, [...all.values()]));
      return pinching.current;
    },
    up(event: PointerEvent): boolean {
      const was = pinching.current;
      fingers.current.delete(event.pointerId);
      if (fingers.current.size === 0) pinching.current = false;
      return was;
    },
  };
}

function between(before: readonly Point[], now: readonly Point[]): Pinch {
  const apart = ([one, other]: readonly Point[]): number =>
    one && other ? Math.max(1, Math.hypot(one.x - other.x, one.y - other.y)) : 1;
  const middle = ([one, other]: readonly Point[]): Point => ({
    x: ((one?.x ?? 0) + (other?.x ?? 0)) / 2,
    y: ((one?.y ?? 0) + (other?.y ?? 0)) / 2,
  });
  return { factor: apart(now) / apart(before), from: middle(before), to: middle(now) };
}
