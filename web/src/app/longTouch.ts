import { useEffect } from "react";
import type { Point } from "../graph/model";

/** In milliseconds; where a browser does it itself, it does so about now. */
const LONG = 600;
/** In pixels: a finger is never quite still. */
const STILL = 10;

/** A long touch asks for the menu, as the other button of a mouse does. Not every browser of phones
 * makes it so by itself. */
export function useLongTouch(): void {
  useEffect(() => {
    let timer = 0;
    let began: Point = { x: 0, y: 0 };
    const forget = (): void => window.clearTimeout(timer);
    const begin = (event: PointerEvent): void => {
      forget();
      const { target, clientX, clientY } = event;
      if (event.pointerType !== "touch" || !event.isPrimary || !(target instanceof Element)) return;
      if (!target.closest(".canvas") || target.closest("input, textarea")) return;
      began = { x: clientX, y: clientY };
      const init = { bubbles: true, cancelable: true, clientX, clientY };
      timer = window.setTimeout(
        () => target.dispatchEvent(new MouseEvent("contextmenu", init)),
        LONG,
      );
    };
    const move = ({ clientX, clientY }: PointerEvent): void => {
      if (Math.hypot(clientX - began.x, clientY - began.y) > STILL) forget();
    };
    const ends = ["pointerup", "pointercancel", "contextmenu"] as const;
    window.addEventListener("pointerdown", begin, true);
    window.addEventListener("pointermove", move, true);
    for (const end of ends) window.addEventListener(end, forget, true);
    return () => {
      forget();
      window.removeEventListener("pointerdown", begin, true);
      window.removeEventListener("pointermove", move, true);
      for (const end of ends) window.removeEventListener(end, forget, true);
    };
  }, []);
}
