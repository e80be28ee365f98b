import {
  type KeyboardEvent,
  type PointerEvent,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import type { Point } from "../../graph/model";
import { t } from "../../strings";
import { type Brush, Painting } from "./painting";
import { usePinch } from "./pinch";

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
  const place = (at: Point): Point => {
    const box = canvas.current?.getBoundingClientRect();
    // As it is drawn now, which a zoom that just began is not yet.
    const drawn = box && size ? box.width / size.width : scale;
    return { x: (at.x - (box?.left ?? 0)) / drawn, y: (at.y - (box?.top ?? 0)) / drawn };
  };
  /** The scale that was asked for last. */
  const asked = useRef(scale);
  asked.current = scale;
  /** A point of the picture, and where in the window it shall be. */
  const anchor = useRef<{ point: Point; at: Point } | null>(null);
  const zoomBy = (factor: number, from: Point, to: Point): void => {
    const next = Math.min(LARGEST, Math.max(SMALLEST, asked.current * factor));
    if (next === asked.current) return;
    anchor.current = { point: place(from), at: to };
    asked.current = next;
    setZoom(next / room);
  };
  useLayoutEffect(() => {
    const box = canvas.current?.getBoundingClientRect();
    if (!anchor.current || !box) return;
    const { point, at } = anchor.current;
    anchor.current = null;
    frame.current?.scrollBy(box.left + point.x * scale - at.x, box.top + point.y * scale - at.y);
  }, [scale]);
  const zoomed = useRef(zoomBy);
  zoomed.current = zoomBy;
  useEffect(() => {
    const box = frame.current;
    // React listens passively; the page must not zoom along.
    const wheel = (event: WheelEvent): void => {
      if (event.shiftKey) return;
      event.preventDefault();
      const at = { x: event.clientX, y: event.clientY };
      zoomed.current(Math.exp(-event.deltaY / 400), at, at);
    };
    box?.addEventListener("wheel", wheel, { passive: false });
    return () => box?.removeEventListener("wheel", wheel);
  }, []);
  const pinch = usePinch(
    () => {
      if (held.current) painting?.forget();
      held.current = null;
      setAt(null);
    },
    ({ factor, from, to }) => {
      if (factor === 1) frame.current?.scrollBy(from.x - to.x, from.y - to.y);
      else zoomBy(factor, from, to);
    },
  );
  const pointed = ({ clientX: x, clientY: y }: { clientX: number; clientY: number }): Point =>
    place({ x, y });
  const draw = (event: PointerEvent, from: Point): Point => {
    const native = event.nativeEvent;
    const parts = native.getCoalescedEvents?.() ?? [];
    let last = from;
    for (const part of parts.length > 0 ? parts : [native]) {
      const next = pointed(part);
      painting?.stroke(last, next, brush, part.pointerType === "pen" ? part.pressure : 1);
      last = next;
    }
    return last;
  };
  const down = (event: PointerEvent): void => {
    if (event.button !== 0 || !painting) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    if (pinch.down(event)) return;
    painting.begin();
    held.current = draw(event, pointed(event));
  };
  const move = (event: PointerEvent): void => {
    if (pinch.move(event)) return;
    setAt(pointed(event));
    if (held.current) held.current = draw(event, held.current);
  };
  const up = (event: PointerEvent): void => {
    pinch.up(event);
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
