/** The time for what is counted while something goes on. */

import { useEffect, useState } from "react";
import { useRun } from "./run";

const SECOND = 1000;

/** This page's clock in milliseconds, new each second while it ticks; it stands still while the
 * service is away, as nobody knows then what goes on there. */
export function useNow(ticking: boolean): number {
  const lost = useRun((run) => run.lost);
  const [now, setNow] = useState(Date.now);
  const runs = ticking && lost === undefined;
  useEffect(() => {
    if (!runs) return;
    setNow(Date.now());
    const timer = window.setInterval(() => setNow(Date.now()), SECOND);
    return () => window.clearInterval(timer);
  }, [runs]);
  return lost === undefined ? now : Math.min(now, lost);
}
