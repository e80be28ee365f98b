import { type CSSProperties, type KeyboardEvent, useEffect, useRef, useState } from "react";
import { typeStyle } from "../canvas/colours";
import { look } from "../canvas/look";
import { type Bar, type Timeline, ticks } from "../run/timeline";
import { t } from "../strings";
import { running } from "../strings/running";
import type { Names } from "./names";

const w = running.timeline;
const TICK_WIDTH = 90;
/** Beyond this part of the axis there is no room for words. */
const LAST_WORDS = 0.97;
const MOST_ZOOM = 400;

interface Props {
  shown: Timeline;
  names: Names;
  zoom: number;
  setZoom: (change: (old: number) => number) => void;
}

/** The picture: bars along an axis of time, as wide as the panel or wider. */
export function Lanes({ shown, names, zoom, setZoom }: Props) {
  const body = useRef<HTMLDivElement>(null);
  const width = useWidth(body) * zoom;
  const [at, setAt] = useState(0);
  useWheelZoom(body, setZoom);
  const share = (ms: number): string => `${(100 * ms) / shown.length}%`;
  const order = new Map(shown.bars.map((bar, number) => [bar.id, number]));
  const go = (event: KeyboardEvent): void => {
    const last = shown.bars.length - 1;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: last }[event.key];
    if (event.key === "+" || event.key === "-") {
      setZoom((old) => clamped(old * (event.key === "+" ? 1.6 : 1 / 1.6)));
    } else if (to === undefined) return;
    else {
      const next = Math.min(last, Math.max(0, to));
      setAt(next);
      body.current?.querySelector<HTMLElement>(`[data-bar="${next}"]`)?.focus();
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <div className="lanes" ref={body} role="group" aria-label={w.hint} onKeyDown={go}>
      <div className="lanes-wide" style={{ width: zoom === 1 ? "100%" : `${100 * zoom}%` }}>
        <div className="lanes-axis" aria-hidden="true">
          {ticks(shown.length, width / TICK_WIDTH).map((ms) => (
            <span key={ms} style={{ left: share(ms) }}>
              {ms === 0 ? "0" : ms < shown.length * LAST_WORDS && t.seconds(ms / 1000)}
            </span>
          ))}
        </div>
        {shown.lanes.map(({ name, rows }) => (
          <section key={name} className="lane" aria-label={w.lane(name)}>
            <h3 className="lane-name">{w.lane(name)}</h3>
            {rows.map((row, number) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a row has no other identity
              <div className="lane-row" key={number}>
                {row.map((bar) => (
                  <BarButton
                    key={bar.id}
                    bar={bar}
                    lane={name}
                    names={names}
                    number={order.get(bar.id) ?? 0}
                    at={at}
                    style={{ left: share(bar.from), width: share(bar.loading + bar.running) }}
                    focus={setAt}
                  />
                ))}
              </div>
            ))}
          </section>
        ))}
      </div>
    </div>
  );
}

interface BarProps {
  bar: Bar;
  lane: string;
  names: Names;
  number: number;
  at: number;
  style: CSSProperties;
  focus: (number: number) => void;
}

function BarButton({ bar, lane, names, number, at, style, focus }: BarProps) {
  const { title, type } = names(bar.id);
  const whole = bar.loading + bar.running;
  const ran = bar.state === "running" ? w.runs : t.seconds(bar.running / 1000);
  const took = bar.loading > 0 ? w.loaded(ran, t.seconds(bar.loading / 1000)) : ran;
  const label = w.bar(title, took, w.lane(lane), t.seconds(bar.from / 1000));
  return (
    <button
      type="button"
      data-bar={number}
      className={`bar bar-${bar.state}`}
      style={{ ...typeStyle(type), ...style }}
      tabIndex={number === at ? 0 : -1}
      aria-label={label}
      title={label}
      onFocus={() => focus(number)}
      onClick={() => look(bar.id)}
    >
      {bar.loading > 0 && (
        <span className="bar-loading" style={{ width: `${(100 * bar.loading) / whole}%` }} />
      )}
      <span className="bar-title">
        {title} <small>{took}</small>
      </span>
    </button>
  );
}

/** A zoom that can be looked at. */
export const clamped = (zoom: number): number => Math.min(MOST_ZOOM, Math.max(1, zoom));

function useWidth(element: React.RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(800);
  useEffect(() => {
    if (!element.current) return;
    const observer = new ResizeObserver(([entry]) => entry && setWidth(entry.contentRect.width));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return width;
}

/** Ctrl and the wheel zoom; what is under the pointer stays there. */
function useWheelZoom(
  element: React.RefObject<HTMLElement | null>,
  setZoom: (change: (old: number) => number) => void,
): void {
  useEffect(() => {
    const body = element.current;
    if (!body) return;
    const turn = (event: WheelEvent): void => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const x = event.clientX - body.getBoundingClientRect().left;
      const share = (body.scrollLeft + x) / body.scrollWidth;
      setZoom((old) => clamped(old * 1.002 ** -event.deltaY));
      requestAnimationFrame(() => {
        body.scrollLeft = share * body.scrollWidth - x;
      });
    };
    // React's own listeners may not keep the page from zooming.
    body.addEventListener("wheel", turn, { passive: false });
    return () => body.removeEventListener("wheel", turn);
  }, [element, setZoom]);
}
