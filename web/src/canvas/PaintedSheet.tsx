import { type ReactFlowState, useStoreApi } from "@xyflow/react";
import { useEffect, useLayoutEffect, useMemo, useRef } from "react";
import { type Catalog, isReroute, titleOf } from "../graph/kinds";
import type { Point, Sheet, Workflow } from "../graph/model";
import { useCatalog } from "../stores/catalog";
import { prefixOf, tabNow } from "../stores/documents";
import { nodeRunIn, useRun } from "../stores/run";
import { useUi } from "../stores/ui";
import { type Face, faceOf } from "./face";
import { Faces } from "./faces";
import { isFar, MANY } from "./far";
import { type FlowEdge, type FlowNode, sizeOf } from "./flow";
import { type Inks, inksOf } from "./inks";
import { inputOf } from "./keys";
import { Lettering } from "./lettering";
import {
  type PaintedBox,
  type PaintedImage,
  type PaintedLink,
  type Picture,
  paint,
  picture,
  sees,
} from "./picture";
import { Turns } from "./turns";

interface Props {
  workflow: Workflow;
  sheet: Sheet;
  nodes: readonly FlowNode[];
  edges: readonly FlowEdge[];
  /** Otherwise it is ready to be, with the faces of all in sight. */
  shown: boolean;
}

/** All nodes and links in one canvas under React Flow's elements, which stay for the hand, the
 * keyboard and the screen reader: from far away, and while more of them move than a browser can
 * paint in a frame. */
export function PaintedSheet({ workflow, sheet, nodes, edges, shown }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const probe = useRef<HTMLSpanElement>(null);
  const store = useStoreApi();
  const theme = useUi((ui) => ui.theme);
  const catalog = useCatalog((state) => state.catalog);
  const { subgraphs } = workflow;
  // biome-ignore lint/correctness/useExhaustiveDependencies: with these, faces are others
  const faces = useMemo(() => new Faces(), [theme, catalog, sheet.links, subgraphs]);
  const ask = useRef(() => {});
  const seen = useRef(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme has other colours
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || !probe.current) return;
    const inks = inksOf(probe.current);
    const places = store.getState().nodeLookup;
    const scene = { workflow, sheet, catalog, inks, places };
    const boxesOf = () => nodes.map((node) => boxOf(scene, node));
    const isNew = !seen.current;
    seen.current = shown;
    if (!shown) return prepare(boxesOf, store.getState, faces, inks);
    let painted: Picture | undefined;
    const tools = { words: new Lettering(inks.of("text")), faces, inks };
    const draw = (): void => {
      const { width, height, transform } = store.getState();
      painted ??= picture(
        boxesOf(),
        edges.flatMap((edge) => linkOf(edge, places, inks)),
        imagesOf(store.getState()),
      );
      resize(context.canvas, width, height);
      paint(context, painted, transform, tools, marksOf(nodes, inks));
    };
    let frame = 0;
    ask.current = () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        draw();
      });
    };
    // Nodes that are drawn one after the other do not have all of it made anew each time.
    if (isNew) draw();
    else ask.current();
    return () => {
      cancelAnimationFrame(frame);
      ask.current = () => {};
    };
  }, [workflow, sheet, nodes, edges, theme, catalog, store, shown, faces]);
  useEffect(() => {
    const repaint = (): void => ask.current();
    const stops = [store.subscribe(repaint), useRun.subscribe(repaint)];
    return () => {
      for (const stop of stops) stop();
    };
  }, [store]);
  return (
    <>
      <span ref={probe} className="ink" hidden />
      <canvas ref={canvas} className="painted-sheet" hidden={!shown} />
    </>
  );
}

/** When the sheet has rested, paints the faces of all in sight, one after the other; the returned
 * function stops it. */
function prepare(
  boxesOf: () => readonly PaintedBox[],
  state: () => ReactFlowState,
  faces: Faces,
  inks: Inks,
): () => void {
  const turns = new Turns();
  const stops: (() => void)[] = [];
  const start = (): void => {
    const { transform, width, height } = state();
    const scale = transform[2] * window.devicePixelRatio;
    if (isFar({ transform })) return;
    const inSight = boxesOf().filter((box) => sees(transform, { width, height }, box));
    for (const { near, ...size } of inSight.length > MANY ? inSight : []) {
      if (!near || faces.of(near.node, size)?.scale === scale) continue;
      stops.push(turns.wait(() => faces.make(near.face(), scale, inks)));
    }
  };
  const timer = window.setTimeout(start, STILL);
  return () => {
    window.clearTimeout(timer);
    for (const stop of stops) stop();
  };
}

/** The faces are not waited for: what the hand does is done first. */
const STILL = 300;

/** Makes a canvas as large as it is shown, if it is not. */
function resize(canvas: HTMLCanvasElement, width: number, height: number): void {
  const ratio = window.devicePixelRatio;
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across) canvas.width = across;
  if (canvas.height !== down) canvas.height = down;
}

interface Scene {
  workflow: Workflow;
  sheet: Sheet;
  catalog: Catalog;
  inks: Inks;
  places: Places;
}

function boxOf({ workflow, sheet, catalog, inks, places }: Scene, flow: FlowNode): PaintedBox {
  const { node, group } = flow.data;
  const size = sizeOf(flow);
  const edge = inks.of(flow.selected ? "accent" : "line-strong");
  const box = { ...flow.position, ...size, id: flow.id, strong: flow.selected ?? false, edge };
  if (group) {
    const fill = inks.of("group");
    return { ...box, fill, title: group.title, behind: true, faded: false };
  }
  const type = catalog.get(node.type)?.outputs[0]?.type ?? "*";
  const title = isReroute(node.type) ? "" : titleOf(workflow, node, catalog);
  const fill = flow.type === "note" ? inks.of("note") : inks.fill(type);
  const plain = { ...box, fill, title, behind: false, faded: node.mode !== "run" };
  if (isReroute(node.type) || flow.type === "end") return plain;
  const middles = (): Map<string, number> => {
    const inputs = places.get(flow.id)?.internals.handleBounds?.target ?? [];
    return new Map(inputs.map(({ id, y, height }) => [inputOf(id ?? ""), y + height / 2]));
  };
  const face = (): Face => faceOf(workflow, sheet, node, catalog, size, middles());
  return { ...plain, near: { node, face } };
}

/** The pictures that nodes show now. */
function imagesOf({ domNode, transform: [left, top, zoom] }: ReactFlowState): PaintedImage[] {
  if (!domNode) return [];
  const frame = domNode.getBoundingClientRect();
  return [...domNode.querySelectorAll<HTMLImageElement>(".react-flow__node img")]
    .filter((image) => image.complete && image.naturalWidth > 0)
    .map((image) => {
      const box = image.getBoundingClientRect();
      return {
        image,
        x: (box.x - frame.x - left) / zoom,
        y: (box.y - frame.y - top) / zoom,
        width: box.width / zoom,
        height: box.height / zoom,
      };
    });
}

type Places = ReactFlowState["nodeLookup"];

function linkOf(edge: FlowEdge, places: Places, inks: Inks): PaintedLink[] {
  const from = endOf(edge.source, edge.sourceHandle, "source", places);
  const to = endOf(edge.target, edge.targetHandle, "target", places);
  if (!from || !to) return [];
  const strong = edge.selected ?? false;
  return [{ from, to, strong, colour: inks.line(edge.data?.type ?? "*") }];
}

function endOf(
  id: string,
  key: string | null | undefined,
  side: "source" | "target",
  places: Places,
): Point | undefined {
  const node = places.get(id);
  const socket = node?.internals.handleBounds?.[side]?.find((one) => one.id === key);
  if (!node || !socket) return undefined;
  const { x, y } = node.internals.positionAbsolute;
  const across = side === "source" ? socket.x + socket.width : socket.x;
  return { x: x + across, y: y + socket.y + socket.height / 2 };
}

const STATES = { running: "good", failed: "bad" } as const;

/** Edges of the nodes that run, or failed. */
function marksOf(nodes: readonly FlowNode[], inks: Inks): Map<string, string> {
  const marks = new Map<string, string>();
  const tab = tabNow();
  if (!tab) return marks;
  const [run, prefix] = [useRun.getState(), prefixOf(tab)];
  const { subgraphs } = tab.history.present;
  for (const { id, data } of nodes) {
    const folded = data.node !== undefined && subgraphs[data.node.type] !== undefined;
    const state = nodeRunIn(run, tab.id, prefix + id, folded)?.state;
    if (state === "running" || state === "failed") marks.set(id, inks.of(STATES[state]));
  }
  return marks;
}
