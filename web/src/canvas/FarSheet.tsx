import { type ReactFlowState, useStoreApi } from "@xyflow/react";
import { useEffect, useLayoutEffect, useRef } from "react";
import { type Catalog, isReroute, titleOf } from "../graph/kinds";
import type { Point, Workflow } from "../graph/model";
import { catalogNow } from "../stores/catalog";
import { prefixOf, tabNow } from "../stores/documents";
import { nodeRunIn, useRun } from "../stores/run";
import { useUi } from "../stores/ui";
import type { FlowEdge, FlowNode } from "./flow";
import { sizeOf } from "./flow";
import { type Inks, inksOf } from "./inks";
import { Lettering } from "./lettering";
import { type PaintedBox, type PaintedLink, paint, picture } from "./picture";

interface Props {
  workflow: Workflow;
  nodes: readonly FlowNode[];
  edges: readonly FlowEdge[];
}

/** All nodes and links from far away, in one canvas under React Flow's elements, which stay for
 * the hand, the keyboard and the screen reader but draw nothing. */
export function FarSheet({ workflow, nodes, edges }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const probe = useRef<HTMLSpanElement>(null);
  const store = useStoreApi();
  const theme = useUi((ui) => ui.theme);
  const ask = useRef(() => {});
  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme has other colours
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || !probe.current) return;
    const inks = inksOf(probe.current);
    const catalog = catalogNow();
    const places = store.getState().nodeLookup;
    const boxes = nodes.map((node) => boxOf(workflow, node, catalog, inks));
    const painted = picture(
      boxes,
      edges.flatMap((edge) => linkOf(edge, places, inks)),
    );
    const letters = new Lettering(inks.of("text"));
    const draw = (): void => {
      const { width, height, transform } = store.getState();
      resize(context.canvas, width, height);
      paint(context, painted, transform, letters, marksOf(nodes, inks));
    };
    let frame = 0;
    ask.current = () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        draw();
      });
    };
    draw();
    return () => cancelAnimationFrame(frame);
  }, [workflow, nodes, edges, theme, store]);
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
      <canvas ref={canvas} className="far-sheet" />
    </>
  );
}

/** Makes a canvas as large as it is shown, if it is not. */
function resize(canvas: HTMLCanvasElement, width: number, height: number): void {
  const ratio = window.devicePixelRatio;
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across) canvas.width = across;
  if (canvas.height !== down) canvas.height = down;
}

function boxOf(workflow: Workflow, flow: FlowNode, catalog: Catalog, inks: Inks): PaintedBox {
  const { node, group } = flow.data;
  const box = { ...flow.position, ...sizeOf(flow), id: flow.id, strong: flow.selected ?? false };
  const edge = inks.of(flow.selected ? "accent" : "line-strong");
  if (group) {
    const fill = inks.of("group");
    return { ...box, edge, fill, title: group.title, behind: true, faded: false };
  }
  const type = catalog.get(node.type)?.outputs[0]?.type ?? "*";
  const title = isReroute(node.type) ? "" : titleOf(workflow, node, catalog);
  const fill = flow.type === "note" ? inks.of("note") : inks.fill(type);
  return { ...box, edge, fill, title, behind: false, faded: node.mode !== "run" };
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
