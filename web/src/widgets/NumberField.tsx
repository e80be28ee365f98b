import { type KeyboardEvent, type PointerEvent, useRef, useState } from "react";
import type { Widget } from "../graph/kinds";
import type { Editing } from "./Field";

type NumberWidget = Extract<Widget, { kind: "number" }>;

/** Pixels that the pointer moves for one step. */
const PIXELS = 4;
const SLACK = 3;

interface Drag {
  x: number;
  value: number;
  moved: boolean;
}

/** A number: dragged sideways, typed, or stepped with the arrow keys (Shift: ten steps). */
export function NumberField(props: Editing<number> & { widget: NumberWidget }) {
  const { label, tooltip, value, widget, change, done } = props;
  const [text, setText] = useState<string | null>(null);
  const input = useRef<HTMLInputElement>(null);
  const drag = useRef<Drag | null>(null);

  const start = (event: PointerEvent) => {
    if (event.button !== 0 || text !== null) return;
    event.preventDefault();
    event.currentTarget.setPointerCapture(event.pointerId);
    drag.current = { x: event.clientX, value, moved: false };
  };
  const move = (event: PointerEvent) => {
    const held = drag.current;
    if (!held) return;
    const distance = event.clientX - held.x;
    held.moved ||= Math.abs(distance) > SLACK;
    if (!held.moved) return;
    const steps = Math.round(distance / PIXELS) * (event.shiftKey ? 10 : 1);
    change(rounded(held.value + steps * widget.step, widget));
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
    if (text !== null && text.trim() !== "") {
      const typed = Number(text.replace(",", "."));
      if (!Number.isNaN(typed)) change(rounded(typed, widget));
    }
    setText(null);
    done();
  };
  const key = (event: KeyboardEvent<HTMLInputElement>) => {
    const steps = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
    if (event.key === "Enter") event.currentTarget.blur();
    else if (event.key === "Escape") {
      setText(null);
      event.currentTarget.blur();
    } else if (steps !== undefined) {
      event.preventDefault();
      setText(null);
      change(rounded(value + steps * widget.step * (event.shiftKey ? 10 : 1), widget));
    } else return;
    event.stopPropagation();
  };

  const part = (value - widget.min) / (widget.max - widget.min);
  const bar = widget.max - widget.min <= 1000 && !widget.whole ? Math.max(0, Math.min(1, part)) : 0;
  return (
    <div
      className="field field-number nodrag"
      title={tooltip}
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
        inputMode="decimal"
        aria-label={label}
        aria-valuenow={value}
        aria-valuemin={widget.min}
        aria-valuemax={widget.max}
        value={text ?? shown(value, widget)}
        onFocus={() => setText(shown(value, widget))}
        onChange={(event) => setText(event.target.value)}
        onBlur={commit}
        onKeyDown={key}
      />
    </div>
  );
}

/** Within its limits, and free of the noise of binary fractions. */
function rounded(value: number, widget: NumberWidget): number {
  const limited = Math.min(widget.max, Math.max(widget.min, value));
  return widget.whole ? Math.round(limited) : Number(limited.toFixed(6));
}

function shown(value: number, widget: NumberWidget): string {
  if (widget.whole || Number.isNaN(value)) return String(value);
  const digits = Math.min(4, Math.max(1, Math.ceil(-Math.log10(widget.step))));
  const plain = String(value);
  return (plain.split(".")[1]?.length ?? 0) > digits ? plain : value.toFixed(digits);
}
