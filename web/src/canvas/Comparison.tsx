import "../theme/comparison.css";
import { type InternalNode, useStore, ViewportPortal } from "@xyflow/react";
import type { CSSProperties } from "react";
import { type Change, type Mark, marks } from "../graph/diff";
import { titleOf } from "../graph/kinds";
import { estimated, NODE_WIDTH } from "../graph/layout";
import {
  type Box,
  type Link,
  type Point,
  type Sheet,
  sheetOf,
  type Workflow,
} from "../graph/model";
import { catalogNow } from "../stores/catalog";
import { type Compared, useChanges, useCompared } from "../stores/comparison";
import type { Tab } from "../stores/documents";
import { brief, markWords } from "../strings/changes";
import { inputKey, outputKey } from "./keys";

const MOST_WORDS = 3;
/** Words are as large on the screen as elsewhere; from further away than this, few of them. */
const FAR = 3;
const LARGEST = 10;
const HEADER = 18;

type Nodes = ReadonlyMap<string, InternalNode>;

/** What changed, drawn over the canvas: boxes around nodes, and what is gone where it was. */
export default function Comparison({ tab }: { tab: Tab }) {
  const compared = useCompared(tab);
  return compared ? <Marks tab={tab} compared={compared} /> : null;
}

function Marks({ tab, compared }: { tab: Tab; compared: Compared }) {
  const changes = useChanges(tab, compared);
  const scale = useStore(({ transform }) => Math.min(LARGEST, Math.max(1, 1 / transform[2])));
  const nodes = useStore((state) => state.nodeLookup);
  useStore((state) => state.nodes); // drawn again when one is moved or measured
  const now = tab.history.present;
  const old = sheetOf(compared.before, tab.sheet);
  const sheets = [sheetOf(now, tab.sheet), old];
  const own = changes.filter(({ sheet }) => sheet === tab.sheet);
  return (
    <ViewportPortal>
      <div
        className={scale > FAR ? "comparison comparison-far" : "comparison"}
        style={{ "--scale": scale } as CSSProperties}
      >
        <svg aria-hidden="true">
          {own.map((change) =>
            change.kind === "linked" || change.kind === "unlinked" ? (
              <path
                key={`${change.kind} ${change.link.id}`}
                className={`compared-${change.kind}`}
                d={pathOf(change.link, nodes, sheets)}
              />
            ) : null,
          )}
        </svg>
        {[...marks(own, tab.sheet)].map(([id, mark]) => (
          <Marked
            key={id}
            mark={mark}
            box={boxOf(id, nodes, [now, compared.before], tab.sheet)}
            title={mark === "removed" ? goneTitle(id, old, compared.before) : undefined}
            words={own.flatMap((change) => wordsOf(change, id))}
          />
        ))}
      </div>
    </ViewportPortal>
  );
}

interface MarkedProps {
  mark: Mark;
  box: Box | undefined;
  title: string | undefined;
  words: readonly string[];
}

function Marked({ mark, box, title, words }: MarkedProps) {
  if (!box) return null;
  const style = {
    transform: `translate(${box.x}px, ${box.y}px)`,
    width: box.width,
    height: box.height,
  };
  return (
    <div className={`compared compared-${mark}`} style={style}>
      <p className="compared-words">
        <strong>{markWords[mark]}</strong>
        {words.slice(0, MOST_WORDS).map((text) => (
          <span key={text}>{text}</span>
        ))}
        {words.length > MOST_WORDS && <span>+ {words.length - MOST_WORDS}</span>}
      </p>
      {title && <span className="compared-title">{title}</span>}
    </div>
  );
}

function wordsOf(change: Change, node: string): string[] {
  if (change.kind !== "value" || change.node !== node) return [];
  return [`${change.input}: ${brief(change.before)} → ${brief(change.after)}`];
}

function goneTitle(id: string, old: Sheet, before: Workflow): string {
  const node = old.nodes[id];
  return node ? titleOf(before, node, catalogNow()) : id;
}

/** Where a node is drawn; from far away, or when it is gone, where it stands or stood. */
function boxOf(
  id: string,
  nodes: Nodes,
  states: readonly Workflow[],
  sheet: string,
): Box | undefined {
  const drawn = nodes.get(id);
  const { width, height } = drawn?.measured ?? {};
  if (drawn && width && height) return { ...drawn.internals.positionAbsolute, width, height };
  for (const workflow of states) {
    const node = sheetOf(workflow, sheet).nodes[id];
    if (node) return { x: node.x, y: node.y, ...estimated(workflow, node, catalogNow()) };
  }
  return undefined;
}

function pathOf(link: Link, nodes: Nodes, sheets: readonly Sheet[]): string {
  const from = endOf(link.from, "source", outputKey(link.slot), nodes, sheets);
  const to = endOf(link.to, "target", inputKey(link.input), nodes, sheets);
  if (!from || !to) return "";
  const bend = Math.max(40, Math.abs(to.x - from.x) * 0.35);
  return `M${from.x},${from.y} C${from.x + bend},${from.y} ${to.x - bend},${to.y} ${to.x},${to.y}`;
}

/** A socket where it is drawn; else the height of the node's title. */
function endOf(
  id: string,
  side: "source" | "target",
  key: string,
  nodes: Nodes,
  sheets: readonly Sheet[],
): Point | undefined {
  const drawn = nodes.get(id);
  const node = sheets.map((sheet) => sheet.nodes[id]).find((one) => one !== undefined);
  const at = drawn?.internals.positionAbsolute ?? node;
  if (!at) return undefined;
  const socket = drawn?.internals.handleBounds?.[side]?.find((one) => one.id === key);
  if (socket) {
    return { x: at.x + socket.x + socket.width / 2, y: at.y + socket.y + socket.height / 2 };
  }
  const width = drawn?.measured.width ?? node?.width ?? NODE_WIDTH;
  return { x: side === "source" ? at.x + width : at.x, y: at.y + HEADER };
}
