/** When the sheet is painted (PaintedSheet.tsx) and not drawn by React Flow's elements. */

import { useStore, useStoreApi } from "@xyflow/react";
import { createContext, useEffect, useRef, useState } from "react";
import { isFar, MANY } from "./far";
import { REST, type Turns } from "./turns";

/** Whether nodes are seen from so far away that they draw nothing themselves. */
export const FarAway = createContext(false);

/** What is seen of the sheet now. */
export interface Painted {
  far: boolean;
  painted: boolean;
  moving: boolean;
  /** To be called when the view moves, and when it has come to rest. */
  move(by: Event | null): void;
  rest(): void;
}

/** Follows the moves of the view. From far away the sheet is painted anyway; near by it is while
 * many nodes move, until all of them are drawn again. In mid-move, far stays far and near near. */
export function usePainted(turns: Turns): Painted {
  const store = useStoreApi();
  const tiny = useStore(isFar);
  const [moving, setMoving] = useState(false);
  const [many, setMany] = useState(false);
  const [far, setFar] = useState(tiny);
  const focused = useRef<HTMLElement>(null);
  const timer = useRef(0);
  const jumps = useRef(0);
  if (!moving && far !== tiny) setFar(tiny);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: near by, there are nodes to wait for
  useEffect(() => {
    if (moving) return;
    // What is not drawn has lost the focus.
    if (document.activeElement === document.body) focused.current?.focus({ preventScroll: true });
    focused.current = null;
    return turns.done(() => setMany(false));
  }, [moving, far, turns]);

  const move = (by: Event | null): void => {
    turns.moved();
    window.clearTimeout(timer.current);
    // What nobody does by hand may be over with its first step.
    if (by === null) jumps.current += 1;
    if (by === null && jumps.current === 1) return;
    const { domNode, connection } = store.getState();
    // A link has to be let go on something.
    if (connection.inProgress) return;
    if (domNode && domNode.getElementsByClassName("react-flow__node").length > MANY) setMany(true);
    if (moving) return;
    const { activeElement } = document;
    const isHere = activeElement instanceof HTMLElement && domNode?.contains(activeElement);
    focused.current = isHere ? activeElement : null;
    setMoving(true);
  };
  // The hand often takes hold again at once.
  const rest = (): void => {
    jumps.current = 0;
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setMoving(false), REST);
  };
  return { far, painted: far || many, moving, move, rest };
}
