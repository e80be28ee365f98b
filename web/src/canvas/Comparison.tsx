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
/** Words are as large on the screen as elsewhere, unless all is far away. */
const LARGEST = 3;
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
  const old = sheetOf(compared.before, tab.sheet);
  const own = changes.filter(({ sheet }) => sheet === tab.sheet);
  return (
    <ViewportPortal>
      <div className="comparison" style={{ "--scale": scale } as CSSProperties}>
        <svg aria-hidden="true">
          {own.map((change) =>
            change.kind === "linked" || change.kind === "unlinked" ? (
              <path
                key={`${change.kind} ${change.link.id}`}
                className={`compared-${change.kind}`}
                d={pathOf(change.link, nodes, old)}
              />
            ) : null,
          )}
        </svg>
        {[...marks(own, tab.sheet)].map(([id, mark]) => (
          <Marked
            key={id}
            mark={mark}
            box={boxOf(id, nodes, old, compared.before)}
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

/** Where a node is drawn, or was before it went. */
function boxOf(id: string, nodes: Nodes, old: Sheet, before: Workflow): Box | undefined {
  const drawn = nodes.get(id);
  if (drawn) {
    const { width = NODE_WIDTH, height = 0 } = drawn.measured;
    return { ...drawn.internals.positionAbsolute, width, height };
  }
  const node = old.nodes[id];
  return node && { x: node.x, y: node.y, ...estimated(before, node, catalogNow()) };
}

function pathOf(link: Link, nodes: Nodes, old: Sheet): string {
  const from = endOf(link.from, "source", outputKey(link.slot), nodes, old);
  const to = endOf(link.to, "target", inputKey(link.input), nodes, old);
  if (!from || !to) return "";
  const bend = Math.max(40, Math.abs(to.x - from.x) * 0.35);
  return `M${from.x},${from.y} C${from.x + bend},${from.y} ${to.x - bend},${to.y} ${to.x},${to.y}`;
}

/** A socket where it is drawn; of a node that is gone, the height of its title. */
function endOf(
  id: string,
  side: "source" | "target",
  key: string,
  nodes: Nodes,
  old: Sheet,
): Point | undefined {
  const drawn = nodes.get(id);
  const at = drawn?.internals.positionAbsolute ?? old.nodes[id];
  if (!at) return undefined;
  const socket = drawn?.internals.handleBounds?.[side]?.find((one) => one.id === key);
  if (socket) {
    return { x: at.x + socket.x + socket.width / 2, y: at.y + socket.y + socket.height / 2 };
  }
  const width = drawn?.measured.width ?? old.nodes[id]?.width ?? NODE_WIDTH;
  return { x: side === "source" ? at.x + width : at.x, y: at.y + HEADER };
}
