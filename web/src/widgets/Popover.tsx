import { type ReactNode, useEffect, useLayoutEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";

interface PopoverProps {
  anchor: HTMLElement | null;
  close(): void;
  /** Pixels that it is wide at least. */
  least?: number;
  children: ReactNode;
}

const MARGIN = 8;
const TALLEST = 340;

/** A box above the page, beside what it belongs to; a click outside closes it, and Escape. */
export function Popover({ anchor, close, least = 200, children }: PopoverProps) {
  const box = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState({ left: 0, top: 0, width: 0, height: TALLEST });
  useLayoutEffect(() => {
    if (!anchor) return;
    const at = anchor.getBoundingClientRect();
    const below = window.innerHeight - at.bottom - MARGIN;
    const above = at.top - MARGIN;
    const down = below >= Math.min(TALLEST, above);
    const height = Math.min(TALLEST, down ? below : above);
    const width = Math.max(least, Math.min(420, at.width));
    const left = Math.max(MARGIN, Math.min(at.left, window.innerWidth - width - MARGIN));
    const shown = Math.min(height, box.current?.scrollHeight ?? height);
    setPlace({ left, width, height, top: down ? at.bottom + 2 : at.top - shown - 2 });
  }, [anchor, least]);
  useEffect(() => {
    const outside = (event: PointerEvent): void => {
      const target = event.target as globalThis.Node;
      if (!box.current?.contains(target) && !anchor?.contains(target)) close();
    };
    const onEscape = (event: KeyboardEvent): void => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      event.preventDefault();
      close();
      anchor?.focus();
    };
    document.addEventListener("pointerdown", outside, true);
    document.addEventListener("keydown", onEscape);
    return () => {
      document.removeEventListener("pointerdown", outside, true);
      document.removeEventListener("keydown", onEscape);
    };
  }, [anchor, close]);
  const style = { left: place.left, top: place.top, width: place.width, maxHeight: place.height };
  return createPortal(
    <div ref={box} className="popover" style={style}>
      {children}
    </div>,
    // A landmark, where screen readers look for what belongs to the page.
    document.querySelector("main") ?? document.body,
  );
}
