import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";

interface Shown {
  words: string;
  facts: string;
  box: DOMRect;
}

/** Milliseconds that the pointer, or the focus, rests before a tip comes. */
const REST = 500;
const MARGIN = 8;

/** The tip of what the pointer rests on, or of what the keyboard went to. */
export function Tips() {
  const [shown, setShown] = useState<Shown | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState({ left: 0, top: 0 });
  useEffect(() => {
    let timer = 0;
    let at: Element | null = null;
    let pressed = Number.NEGATIVE_INFINITY;
    const hide = (): void => {
      window.clearTimeout(timer);
      setShown(null);
    };
    const aim = (target: EventTarget | null): void => {
      const owner = target instanceof Element ? target.closest("[data-tip]") : null;
      if (owner === at) return;
      at = owner;
      hide();
      if (!(owner instanceof HTMLElement)) return;
      const { tip: words = "", facts = "" } = owner.dataset;
      timer = window.setTimeout(
        () => owner.isConnected && setShown({ words, facts, box: owner.getBoundingClientRect() }),
        REST,
      );
    };
    const over = (event: PointerEvent): void => {
      if (event.pointerType === "mouse" && event.buttons === 0) aim(event.target);
    };
    // Who clicks into a text wants to write, not to read.
    const press = (event: Event): void => {
      pressed = event.timeStamp;
      hide();
    };
    const focus = (event: FocusEvent): void => {
      const seen = event.target instanceof Element && event.target.matches(":focus-visible");
      if (seen && event.timeStamp - pressed > REST) aim(event.target);
    };
    document.addEventListener("pointerover", over);
    document.addEventListener("focusin", focus);
    document.addEventListener("pointerdown", press, { capture: true });
    const ends = ["keydown", "wheel"] as const;
    for (const end of ends) document.addEventListener(end, hide, { capture: true, passive: true });
    return () => {
      hide();
      document.removeEventListener("pointerover", over);
      document.removeEventListener("focusin", focus);
      document.removeEventListener("pointerdown", press, { capture: true });
      for (const end of ends) document.removeEventListener(end, hide, { capture: true });
    };
  }, []);
  useLayoutEffect(() => {
    const size = box.current?.getBoundingClientRect();
    if (!shown || !size) return;
    const { left, top, bottom } = shown.box;
    const below = bottom + 4 + size.height < window.innerHeight - MARGIN;
    const room = window.innerWidth - size.width - MARGIN;
    setPlace({
      left: Math.max(MARGIN, Math.min(left, room)),
      top: below ? bottom + 4 : Math.max(MARGIN, top - size.height - 4),
    });
  }, [shown]);
  if (!shown) return null;
  return createPortal(
    <div ref={box} role="tooltip" className="tip" style={place}>
      {shown.words && <p>{shown.words}</p>}
      <p className="tip-facts">{shown.facts}</p>
    </div>,
    document.querySelector("main") ?? document.body,
  );
}
