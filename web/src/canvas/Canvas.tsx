import {
  ConnectionLineType,
  type FinalConnectionState,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
  useStore,
} from "@xyflow/react";
import {
  lazy,
  type MouseEvent as ReactMouseEvent,
  Suspense,
  useCallback,
  useRef,
  useState,
} from "react";
import type { Loose } from "../graph/connect";
import { type Group, type Point, ROOT, type Sheet, sheetOf } from "../graph/model";
import { catalogNow } from "../stores/catalog";
import { useCompared } from "../stores/comparison";
import { type Tab, tabNow, useDocuments } from "../stores/documents";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { End } from "./End";
import { isSmall } from "./far";
import { useLinking } from "./fitting";
import { type FlowEdge, type FlowNode, useFlow } from "./flow";
import { GroupBox } from "./GroupBox";
import { Link, LinkInAir, WaitingLink } from "./Link";
import { bend, cut, draw, dropped, isAllowed, redraw } from "./linking";
import { MiniMap } from "./MiniMap";
import { Node } from "./Node";
import { Note } from "./Note";
import { PaintedSheet } from "./PaintedSheet";
import { FarAway, usePainted } from "./painted";
import { Reroute } from "./Reroute";
import { Turns, TurnsOfSheet } from "./turns";
import { ViewButtons } from "./ViewButtons";
import { firstView, MIN_ZOOM, useView } from "./view";

const Comparison = lazy(() => import("./Comparison"));

const NODE_TYPES = { node: Node, note: Note, reroute: Reroute, frame: GroupBox, end: End };
const EDGE_TYPES = { link: Link };
const BOX_KEYS = ["Control", "Meta"];

/** The sheet of a tab that is looked at. */
export function Canvas({ tab }: { tab: Tab }) {
  return (
    <ReactFlowProvider key={`${tab.id}/${tab.sheet}`}>
      <SheetCanvas tab={tab} />
    </ReactFlowProvider>
  );
}

function SheetCanvas({ tab }: { tab: Tab }) {
  const sheet = sheetOf(tab.history.present, tab.sheet);
  const compared = useCompared(tab) !== undefined;
  const flow = useFlow(tab.history.present, sheet, tab.selection, tab.sheet !== ROOT);
  const { screenToFlowPosition } = useReactFlow();
  const linking = useLinking();
  const small = useStore(isSmall);
  useView(tab);
  const [turns] = useState(() => new Turns());
  const { far, painted, moving, move, rest } = usePainted(turns);
  const [first] = useState(() => firstView(tab.history.present, sheet, catalogNow()));
  const held = useRef<Held | null>(null);

  const search = useCallback(
    (at: Point, loose?: Loose, from?: Point | null) =>
      useUi.getState().search({ at, place: screenToFlowPosition(at), loose, from }),
    [screenToFlowPosition],
  );
  const onConnectEnd = useCallback(
    (event: MouseEvent | TouchEvent, state: FinalConnectionState) => {
      if (!state.isValid) dropped(pointOf(event), state, search);
    },
    [search],
  );

  const classes = [
    "canvas",
    linking && "canvas-linking",
    far && "canvas-far",
    painted && "canvas-painted",
    moving && "canvas-moving",
    small && "canvas-small",
  ];
  return (
    <TurnsOfSheet value={turns}>
      <FarAway value={far}>
        <ReactFlow<FlowNode, FlowEdge>
          className={classes.filter(Boolean).join(" ")}
          nodes={flow.nodes}
          edges={far ? NO_EDGES : flow.edges}
          nodeTypes={NODE_TYPES}
          edgeTypes={EDGE_TYPES}
          onNodesChange={flow.onNodesChange}
          onEdgesChange={flow.onEdgesChange}
          onConnect={draw}
          onConnectEnd={onConnectEnd}
          isValidConnection={isAllowed}
          connectionLineComponent={LinkInAir}
          connectionLineType={ConnectionLineType.Bezier}
          connectionRadius={24}
          onReconnect={redraw}
          onReconnectEnd={(_event, edge, _side, state) => {
            if (!state.isValid && !state.toHandle) cut(edge);
          }}
          onEdgeDoubleClick={(event, edge) =>
            bend(edge, screenToFlowPosition(pointOf(event.nativeEvent)))
          }
          onNodeDragStart={(_event, node, dragged) => {
            useDocuments.getState().settle();
            held.current = grab(sheet, node, dragged);
          }}
          onNodeDrag={(_event, node) => held.current && flow.carry(held.current.at(node.position))}
          onNodeDragStop={(_event, node) => {
            const carried = held.current?.at(node.position);
            held.current = null;
            if (!carried || carried.size === 0) return;
            moveAlong(node, carried);
            flow.release(carried.keys());
          }}
          onNodeContextMenu={(event, node) => menu(event, node.id)}
          onPaneContextMenu={(event) => menu(event)}
          onPaneClick={() => useUi.getState().search(null)}
          onDoubleClick={(event) => {
            if ((event.target as HTMLElement).classList.contains("react-flow__pane")) {
              search({ x: event.clientX, y: event.clientY });
            }
          }}
          zoomOnDoubleClick={false}
          deleteKeyCode={null}
          selectionKeyCode={BOX_KEYS}
          multiSelectionKeyCode="Shift"
          onMove={move}
          onMoveEnd={rest}
          onlyRenderVisibleElements={!far}
          elevateNodesOnSelect={false}
          minZoom={MIN_ZOOM}
          defaultViewport={first}
          maxZoom={2.5}
          snapToGrid
          snapGrid={SNAP}
          proOptions={ATTRIBUTION}
          ariaLabelConfig={t.canvas.aria}
          aria-label={t.canvas.label}
        >
          <PaintedSheet
            workflow={tab.history.present}
            sheet={sheet}
            nodes={flow.nodes}
            edges={flow.edges}
            shown={painted}
          />
          <WaitingLink />
          <MiniMap nodes={flow.nodes} />
          <ViewButtons />
          {compared && (
            <Suspense fallback={null}>
              <Comparison tab={tab} />
            </Suspense>
          )}
        </ReactFlow>
      </FarAway>
    </TurnsOfSheet>
  );
}

/** From far away links are painted. */
const NO_EDGES: FlowEdge[] = [];
const SNAP: [number, number] = [10, 10];
const ATTRIBUTION = { hideAttribution: true };

const pointOf = (event: MouseEvent | TouchEvent): Point => {
  const { clientX, clientY } =
    "changedTouches" in event
      ? (event.changedTouches[0] ?? new Touch({ identifier: 0, target: document.body }))
      : event;
  return { x: clientX, y: clientY };
};

/** The menu of a node, or of the canvas. */
function menu(event: MouseEvent | ReactMouseEvent, id?: string): void {
  event.preventDefault();
  const tab = tabNow();
  if (id !== undefined && !tab?.selection.has(id)) useDocuments.getState().select([id]);
  const at = { x: event.clientX, y: event.clientY };
  useUi.getState().set({ menu: { at, of: id === undefined ? "pane" : "node" } });
}

interface Held {
  at(position: Point): Map<string, Point>;
}

/** What a group takes along when it is moved: the nodes whose middle lies in it. */
function grab(sheet: Sheet, node: FlowNode, dragged: FlowNode[]): Held | null {
  const group = node.data.group;
  if (!group) return null;
  const moving = new Set(dragged.map(({ id }) => id));
  const inside = Object.values(sheet.nodes).filter(
    (one) =>
      !moving.has(one.id) && holds(group, { x: one.x + (one.width ?? 200) / 2, y: one.y + 20 }),
  );
  return {
    at: ({ x, y }) =>
      new Map(inside.map((one) => [one.id, { x: one.x + x - group.x, y: one.y + y - group.y }])),
  };
}

const holds = (box: Group, { x, y }: Point): boolean =>
  x > box.x && y > box.y && x < box.x + box.width && y < box.y + box.height;

/** The nodes of a moved group, in one step with it. */
function moveAlong(group: FlowNode, carried: ReadonlyMap<string, Point>): void {
  useDocuments.getState().editSheet(
    t.edits.move,
    (sheet) => {
      const nodes = { ...sheet.nodes };
      for (const [id, at] of carried) {
        const node = nodes[id];
        if (node) nodes[id] = { ...node, ...at };
      }
      return { ...sheet, nodes };
    },
    `move:${group.id}`,
  );
}
