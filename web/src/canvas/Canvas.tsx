import {
  type Connection,
  ConnectionLineType,
  type Edge,
  type FinalConnectionState,
  ReactFlow,
  type Node as ReactFlowNode,
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
import { type Drawn, freeInput, type Loose, refusal } from "../graph/connect";
import { disconnect, linkKey, reroute } from "../graph/edits";
import { link } from "../graph/ends";
import { outputType, socketsOf } from "../graph/kinds";
import {
  ENTRY,
  EXIT,
  type Group,
  linkedInputs,
  onSheet,
  type Point,
  ROOT,
  type Sheet,
  sheetOf,
  subgraphOf,
} from "../graph/model";
import { catalogNow } from "../stores/catalog";
import { useCompared } from "../stores/comparison";
import { type Tab, tabNow, useDocuments } from "../stores/documents";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { refused } from "../strings/refused";
import { End } from "./End";
import { isSmall } from "./far";
import { type FlowEdge, type FlowNode, useFlow } from "./flow";
import { GroupBox } from "./GroupBox";
import { drawn, inputOf, slotOf } from "./keys";
import { Link, LinkInAir } from "./Link";
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

const NODE_TYPES = { node: Node, note: Note, reroute: Reroute, group: GroupBox, end: End };
const EDGE_TYPES = { link: Link };
const BOX_KEYS = ["Control", "Meta"];

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
  const linking = useStore((state) => state.connection.inProgress);
  const small = useStore(isSmall);
  useView(tab);
  const [turns] = useState(() => new Turns());
  const { far, painted, moving, move, rest } = usePainted(turns);
  const [first] = useState(() => firstView(tab.history.present, sheet, catalogNow()));
  const held = useRef<Held | null>(null);

  const search = useCallback(
    (at: Point, loose?: Loose) =>
      useUi.getState().search({ at, place: screenToFlowPosition(at), loose }),
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

function isAllowed(connection: Connection | Edge): boolean {
  const [tab, link] = [
    tabNow(),
    drawn({
      ...connection,
      sourceHandle: connection.sourceHandle ?? null,
      targetHandle: connection.targetHandle ?? null,
    }),
  ];
  if (!tab || !link) return false;
  const workflow = tab.history.present;
  return refusal(workflow, sheetOf(workflow, tab.sheet), catalogNow(), link) === null;
}

function draw(connection: Connection): void {
  const [tab, made] = [tabNow(), drawn(connection)];
  if (tab && made) join(tab, made);
}

function join(tab: Tab, drawn: Drawn): void {
  useDocuments
    .getState()
    .edit(t.edits.connect, (workflow) => link(workflow, tab.sheet, catalogNow(), drawn));
}

const idOf = (edge: Edge): string => edge.id.slice(linkKey("").length);

function cut(edge: Edge): void {
  useDocuments.getState().editSheet(t.edits.disconnect, (sheet) => disconnect(sheet, idOf(edge)));
}

function redraw(edge: Edge, connection: Connection): void {
  const [tab, redrawn] = [tabNow(), drawn(connection)];
  if (!tab || !redrawn) return;
  useDocuments.getState().edit(t.edits.connect, (workflow) => {
    const without = onSheet(workflow, tab.sheet, (sheet) => disconnect(sheet, idOf(edge)));
    return link(without, tab.sheet, catalogNow(), redrawn);
  });
}

function bend(edge: Edge, at: Point): void {
  useDocuments
    .getState()
    .editSheet(t.edits.reroute, (sheet) =>
      reroute(sheet, idOf(edge), { x: at.x - 20, y: at.y - 15 }, catalogNow()),
    );
}

/** The menu of a node, or of the canvas. */
function menu(event: MouseEvent | ReactMouseEvent, id?: string): void {
  event.preventDefault();
  const tab = tabNow();
  if (id !== undefined && !tab?.selection.has(id)) useDocuments.getState().select([id]);
  const at = { x: event.clientX, y: event.clientY };
  useUi.getState().set({ menu: { at, of: id === undefined ? "pane" : "node" } });
}

/** A link let go where no socket takes it: on a node, into the void, or where it is refused. */
function dropped(
  at: Point,
  state: FinalConnectionState,
  search: (at: Point, loose: Loose) => void,
): void {
  const tab = tabNow();
  const { fromHandle, fromNode, toHandle } = state;
  if (!tab || !fromHandle || !fromNode) return;
  const loose = looseEnd(tab, fromNode, fromHandle.id ?? "");
  if (!loose) return;
  if (toHandle) {
    const outward = loose.side === "output";
    const link = drawn({
      source: outward ? fromNode.id : toHandle.nodeId,
      sourceHandle: (outward ? fromHandle.id : toHandle.id) ?? null,
      target: outward ? toHandle.nodeId : fromNode.id,
      targetHandle: (outward ? toHandle.id : fromHandle.id) ?? null,
    });
    if (link) explain(tab, link);
    return;
  }
  const under = document.elementFromPoint(at.x, at.y);
  const target = under?.closest<HTMLElement>(".react-flow__node")?.dataset.id;
  if (target === undefined || target.startsWith("group:")) search(at, loose);
  else if (loose.side === "output") dropOn(tab, loose, target);
  else if (target === ENTRY) {
    const slot = subgraphOf(tab.history.present, sheetNow(tab))?.inputs.length ?? 0;
    join(tab, { from: ENTRY, slot, to: loose.node, input: loose.input });
  }
}

function explain(tab: Tab, link: ReturnType<typeof drawn> & object): void {
  const workflow = tab.history.present;
  const why = refusal(workflow, sheetOf(workflow, tab.sheet), catalogNow(), link);
  if (why) useUi.getState().say(refused(why), "error");
}

function looseEnd(tab: Tab, node: ReactFlowNode, key: string): Loose | undefined {
  const workflow = tab.history.present;
  const sheet = sheetOf(workflow, tab.sheet);
  const catalog = catalogNow();
  if (key.startsWith("out:")) {
    const slot = slotOf(key);
    return {
      side: "output",
      node: node.id,
      slot,
      type: outputType(workflow, sheet, catalog, node.id, slot),
    };
  }
  const own = sheet.nodes[node.id];
  const input = inputOf(key);
  const linked = linkedInputs(sheet, node.id);
  const sockets = own ? socketsOf(workflow, own, catalog, linked).inputs : [];
  const socket = sockets.find(({ name }) => name === input);
  return socket && { side: "input", node: node.id, input, type: socket.type };
}

function dropOn(tab: Tab, loose: Loose & { side: "output" }, target: string): void {
  if (target === loose.node) return;
  const workflow = tab.history.present;
  const sheet = sheetNow(tab);
  const input =
    target === EXIT
      ? String(subgraphOf(workflow, sheet)?.outputs.length ?? 0)
      : freeInput(workflow, sheet, catalogNow(), loose, target);
  if (input === undefined) {
    useUi.getState().say(t.refused.noInput(loose.type), "error");
    return;
  }
  join(tab, { from: loose.node, slot: loose.slot, to: target, input });
}

const sheetNow = (tab: Tab): Sheet => sheetOf(tab.history.present, tab.sheet);

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
