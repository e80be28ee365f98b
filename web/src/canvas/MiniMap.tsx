import { Panel, useReactFlow, useStoreApi } from "@xyflow/react";
import { type PointerEvent, useEffect, useLayoutEffect, useRef } from "react";
import type { Box, Point } from "../graph/model";
import { catalogNow } from "../stores/catalog";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { type FlowNode, sizeOf } from "./flow";
import { inksOf } from "./inks";
import { boundsOf } from "./placing";

const WIDTH = 200;
const HEIGHT = 150;
const MARGIN = 8;
const SOFT = 0.6;

/** All of the sheet, small, and which part of it is in view. It is painted when nodes change; a
 * move of the view moves one box alone. */
export function MiniMap({ nodes }: { nodes: readonly FlowNode[] }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const probe = useRef<HTMLSpanElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const scale = useRef<Scale>(scaleOf([]));
  const store = useStoreApi();
  const { setCenter, getZoom, zoomTo } = useReactFlow();
  const theme = useUi((ui) => ui.theme);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme has other colours
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || !probe.current) return;
    const boxes = nodes.map((node) => ({ node, ...node.position, ...sizeOf(node) }));
    scale.current = scaleOf(boxes);
    const { zoom, x: left, y: top } = scale.current;
    const ratio = window.devicePixelRatio;
    context.canvas.width = WIDTH * ratio;
    context.canvas.height = HEIGHT * ratio;
    context.setTransform(ratio * zoom, 0, 0, ratio * zoom, ratio * left, ratio * top);
    const inks = inksOf(probe.current);
    const catalog = catalogNow();
    context.globalAlpha = SOFT;
    for (const { node, x, y, width, height } of boxes) {
      const type = catalog.get(node.data.node?.type ?? "")?.outputs[0]?.type ?? "*";
      const fill = node.data.group ? inks.of("group") : inks.line(type);
      context.fillStyle = node.selected ? inks.of("accent") : fill;
      context.fillRect(x, y, width, height);
    }
  }, [nodes, theme]);
  useEffect(() => {
    const place = (): void => {
      const { transform, width, height } = store.getState();
      const [x, y, zoom] = transform;
      const { zoom: small, x: left, y: top } = scale.current;
      const style = frame.current?.style;
      if (!style) return;
      style.transform = `translate(${(-x / zoom) * small + left}px, ${(-y / zoom) * small + top}px)`;
      style.width = `${(width / zoom) * small}px`;
      style.height = `${(height / zoom) * small}px`;
    };
    place();
    return store.subscribe(place);
  }, [store]);
  const grab = (event: PointerEvent<HTMLDivElement>): void => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    look(event);
  };
  const look = (event: PointerEvent<HTMLDivElement>): void => {
    // What began elsewhere, such as a link that is drawn, only comes by.
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
    const box = event.currentTarget.getBoundingClientRect();
    const { zoom, x, y } = scale.current;
    const at: Point = {
      x: (event.clientX - box.x - x) / zoom,
      y: (event.clientY - box.y - y) / zoom,
    };
    void setCenter(at.x, at.y, { zoom: getZoom() });
  };
  return (
    <Panel position="bottom-right" className="map">
      <div
        role="img"
        aria-label={t.canvas.minimap}
        onPointerDown={grab}
        onPointerMove={look}
        onWheel={(event) => void zoomTo(getZoom() * 2 ** (-event.deltaY / 500))}
      >
        <span ref={probe} className="ink" hidden />
        <canvas ref={canvas} />
        <div ref={frame} className="map-view" />
      </div>
    </Panel>
  );
}

interface Scale extends Point {
  zoom: number;
}

/** How the boxes fit into the map. */
function scaleOf(boxes: readonly Box[]): Scale {
  if (boxes.length === 0) return { x: WIDTH / 2, y: HEIGHT / 2, zoom: 0.05 };
  const all = boundsOf(boxes);
  const zoom = Math.min((WIDTH - 2 * MARGIN) / all.width, (HEIGHT - 2 * MARGIN) / all.height, 0.2);
  const x = WIDTH / 2 - (all.x + all.width / 2) * zoom;
  const y = HEIGHT / 2 - (all.y + all.height / 2) * zoom;
  return { x, y, zoom };
}
