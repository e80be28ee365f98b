import { type KeyboardEvent, type PointerEvent, useRef, useState } from "react";
import type { Widget } from "../graph/kinds";
import { type Numeric, type Pace, shown, stepped, typed } from "../graph/numbers";
import type { Editing } from "./editing";
import { tipped } from "./tip";

type NumberWidget = Extract<Widget, { kind: "number" }>;

/** Pixels that the pointer moves for one step. */
const PIXELS = 4;
const SLACK = 3;

/** The pointer is held down on a number. */
interface Drag {
  x: number;
  value: Numeric;
  /** Pixels that made no whole step yet. */
  rest: number;
  moved: boolean;
}

const pace = ({ shiftKey, altKey }: { shiftKey: boolean; altKey: boolean }): Pace =>
  shiftKey ? "coarse" : altKey ? "fine" : "usual";

const finite = (bound: number): number | undefined => (Number.isFinite(bound) ? bound : undefined);

/** A number: dragged sideways, typed, or stepped with the arrow keys. Shift makes ten steps of
 * one, Alt a tenth of one. */
export function NumberField(props: Editing<Numeric> & { widget: NumberWidget }) {
  const { label, tip, value, widget, change, done } = props;
  const [text, setText] = useState<string | null>(null);
  const input = useRef<HTMLInputElement>(null);
  const drag = useRef<Drag | null>(null);

  const start = (event: PointerEvent) => {
    if (event.button !== 0 || text !== null) return;
    event.preventDefault();
    event.currentTarget.setPointerCapture(event.pointerId);
    drag.current = { x: event.clientX, value, rest: 0, moved: false };
  };
  const move = (event: PointerEvent) => {
    const held = drag.current;
    if (!held) return;
    const far = event.clientX - held.x;
    held.moved ||= Math.abs(far) > SLACK;
    if (!held.moved) return;
    const steps = Math.trunc((held.rest + far) / PIXELS);
    held.rest += far - steps * PIXELS;
    held.x = event.clientX;
    if (steps === 0) return;
    held.value = stepped(held.value, steps, pace(event), widget);
    change(held.value);
  };
  const end = () => {
    const held = drag.current;
    drag.current = null;
    if (held?.moved) done();
    else if (held) {
      input.current?.focus();
      input.current?.select();
    }
  };
  const commit = () => {
    const given = text === null ? undefined : typed(text, widget);
    if (given !== undefined) change(given);
    setText(null);
    done();
  };
  const key = (event: KeyboardEvent<HTMLInputElement>) => {
    const steps = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
    if (event.key === "Enter") event.currentTarget.blur();
    // With Ctrl it is a command of the page too.
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return;
    if (event.key === "Escape") {
      setText(null);
      event.currentTarget.blur();
    } else if (steps !== undefined) {
      event.preventDefault();
      setText(null);
      change(stepped(value, steps, pace(event), widget));
    } else if (event.key !== "Enter") return;
    event.stopPropagation();
  };

  const [min, max] = [Number(widget.min), Number(widget.max)];
  const part = (Number(value) - min) / (max - min);
  const bar = max - min <= 1000 && !widget.whole ? Math.max(0, Math.min(1, part)) : 0;
  return (
    <div
      className="field field-number nodrag"
      {...tipped(tip)}
      onPointerDown={start}
      onPointerMove={move}
      onPointerUp={end}
      onPointerCancel={end}
    >
      <div className="field-bar" style={{ transform: `scaleX(${bar})` }} />
      <span className="field-label">{label}</span>
      <input
        ref={input}
        role="spinbutton"
        aria-description={tip.words || undefined}
        inputMode="decimal"
        aria-label={label}
        aria-valuenow={Number(value)}
        aria-valuetext={String(value)}
        aria-valuemin={finite(min)}
        aria-valuemax={finite(max)}
        value={text ?? shown(value, widget)}
        onFocus={() => setText(shown(value, widget))}
        onChange={(event) => setText(event.target.value)}
        onBlur={commit}
        onKeyDown={key}
      />
    </div>
  );
}
