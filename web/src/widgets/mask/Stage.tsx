import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from "react";
import type { Point } from "../../graph/model";
import { t } from "../../strings";
import { type Brush, Painting } from "./painting";

interface StageProps {
  /** Addresses of the picture without its transparency, and of that alone. */
  picture: string;
  alpha: string;
  brush: Brush;
  /** Pixels of the screen for one of the picture; null: as large as there is room. */
  zoom: number | null;
  setZoom(zoom: number): void;
  painting: Painting | null;
  ready(painting: Painting): void;
  painted(): void;
}

const w = t.widget.mask;
const [SMALLEST, LARGEST] = [0.05, 40];
const MARGIN = 24;
const ARROWS: Record<string, Point | undefined> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

async function loaded(address: string): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image;
}

/** The picture with the mask over it, under pointer and keys. */
export function Stage(props: StageProps) {
  const { picture, alpha, brush, zoom, setZoom, painting, ready, painted } = props;
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const held = useRef<Point | null>(null);
  const [size, setSize] = useState<{ width: number; height: number } | null>(null);
  const [at, setAt] = useState<Point | null>(null);
  const [wrong, setWrong] = useState(false);
  const [room, setRoom] = useState(1);

  useEffect(() => {
    let over = false;
    Promise.all([loaded(picture), loaded(alpha)])
      .then(([shown, transparency]) => {
        if (over || !canvas.current || !frame.current) return;
        const { naturalWidth: width, naturalHeight: height } = shown;
        const made = new Painting(canvas.current, width, height);
        made.adopt(transparency);
        const { clientWidth, clientHeight } = frame.current;
        setRoom(
          Math.min((clientWidth - 2 * MARGIN) / width, (clientHeight - 2 * MARGIN) / height, 8),
        );
        setSize({ width, height });
        ready(made);
      })
      .catch(() => setWrong(true));
    return () => {
      over = true;
    };
  }, [picture, alpha, ready]);

  const scale = Math.min(LARGEST, Math.max(SMALLEST, zoom === null ? room : zoom * room));
  const scaled = useRef({ zoom: zoom ?? 1, setZoom });
  scaled.current = { zoom: zoom ?? 1, setZoom };
  useEffect(() => {
    const box = frame.current;
    // React listens passively; the page must not zoom along.
    const wheel = (event: WheelEvent): void => {
      if (event.shiftKey) return;
      event.preventDefault();
      scaled.current.setZoom(scaled.current.zoom * Math.exp(-event.deltaY / 400));
    };
    box?.addEventListener("wheel", wheel, { passive: false });
    return () => box?.removeEventListener("wheel", wheel);
  }, []);

  const place = (event: { clientX: number; clientY: number }): Point => {
    const box = canvas.current?.getBoundingClientRect();
    return {
      x: (event.clientX - (box?.left ?? 0)) / scale,
      y: (event.clientY - (box?.top ?? 0)) / scale,
    };
  };
  const draw = (event: PointerEvent, from: Point): Point => {
    const native = event.nativeEvent;
    const parts = native.getCoalescedEvents?.() ?? [];
    let last = from;
    for (const part of parts.length > 0 ? parts : [native]) {
      const next = place(part);
      painting?.stroke(last, next, brush, part.pointerType === "pen" ? part.pressure : 1);
      last = next;
    }
    return last;
  };
  const down = (event: PointerEvent): void => {
    if (event.button !== 0 || !painting) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    painting.begin();
    held.current = draw(event, place(event));
  };
  const move = (event: PointerEvent): void => {
    setAt(place(event));
    if (held.current) held.current = draw(event, held.current);
  };
  const up = (): void => {
    if (held.current) painted();
    held.current = null;
  };
  const key = (event: KeyboardEvent): void => {
    if (!painting || !size) return;
    const from = at ?? { x: size.width / 2, y: size.height / 2 };
    const way = ARROWS[event.key];
    const step = event.altKey ? 1 : Math.max(1, brush.size / 4);
    const to = way && {
      x: Math.max(0, Math.min(size.width, from.x + way.x * step)),
      y: Math.max(0, Math.min(size.height, from.y + way.y * step)),
    };
    if (event.key === " " || (to && event.shiftKey)) {
      if (!event.repeat) painting.begin();
      painting.stroke(from, to ?? from, brush);
      painted();
    } else if (!to) return;
    setAt(to ?? from);
    event.preventDefault();
  };
  const shown = size && { width: size.width * scale, height: size.height * scale };
  const ring = at && {
    left: (at.x - brush.size / 2) * scale,
    top: (at.y - brush.size / 2) * scale,
    width: brush.size * scale,
    height: brush.size * scale,
  };
  return (
    <div ref={frame} className="mask-stage">
      {wrong && <p className="mask-wrong">{w.unreadable}</p>}
      <div className="mask-sheet" style={shown ?? undefined} hidden={!size}>
        <img src={picture} alt="" draggable={false} />
        {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: keys paint here */}
        <canvas
          ref={canvas}
          tabIndex={0}
          role="application"
          aria-label={w.canvas}
          onPointerDown={down}
          onPointerMove={move}
          onPointerUp={up}
          onPointerCancel={up}
          onPointerLeave={() => !held.current && setAt(null)}
          onKeyDown={key}
        />
        {ring && <div className="mask-brush" style={ring} aria-hidden="true" />}
      </div>
    </div>
  );
}
