import { Ban, ChevronDown, ChevronRight, CircleSlash, Group, TriangleAlert } from "lucide-react";
import { useRef, useState } from "react";
import { change, setCollapsed } from "../graph/edits";
import { type NodeKind, titleOf } from "../graph/kinds";
import type { GraphNode } from "../graph/model";
import { problemsOf } from "../graph/problems";
import { socketsOf } from "../graph/sockets";
import { type NodeRun, secondsOf } from "../run/progress";
import { useCatalog } from "../stores/catalog";
import { useNow } from "../stores/clock";
import { useDocuments, useTab } from "../stores/documents";
import { useRun } from "../stores/run";
import { t } from "../strings";
import { problemText } from "../strings/refused";
import { tipped } from "../widgets/tip";
import { typeStyle } from "./colours";
import { useFolded, useLinked } from "./parts";

/** Title, state and progress of a node. */
export function Header({ node, run }: { node: GraphNode; run: NodeRun | undefined }) {
  const catalog = useCatalog((state) => state.catalog);
  const title = useTab((tab) => titleOf(tab.history.present, node, catalog), node.type);
  const subgraph = useTab((tab) => tab.history.present.subgraphs[node.type] !== undefined, false);
  const [renaming, setRenaming] = useState(false);
  const kind = catalog.get(node.type);
  const type = useTab((tab) => {
    const { inputs, outputs } = socketsOf(tab.history.present, node, catalog);
    return (outputs[0] ?? inputs.find((input) => !input.widget))?.type ?? "*";
  }, "*");
  const { editSheet, enter } = useDocuments.getState();
  const collapse = () =>
    editSheet(t.edits.collapse, (sheet) => setCollapsed(sheet, [node.id], !node.collapsed));
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a short cut; the outline renames too
    <header
      className="node-header"
      style={typeStyle(type)}
      {...tipped(
        subgraph
          ? { words: t.node.enterHint, facts: t.subgraph.name }
          : { words: kind?.description ?? "", facts: factsOf(node.type, kind) },
      )}
      onDoubleClick={() => (subgraph ? enter(node.id, node.type) : setRenaming(true))}
    >
      <button
        type="button"
        className="node-fold nodrag"
        aria-expanded={!node.collapsed}
        aria-label={t.node.fold(title)}
        onClick={collapse}
        tabIndex={-1}
      >
        {node.collapsed ? <ChevronRight size={14} /> : <ChevronDown size={14} />}
      </button>
      {renaming ? (
        <Rename node={node} title={title} done={() => setRenaming(false)} />
      ) : (
        <span className="node-title">{title}</span>
      )}
      {node.mode === "muted" && <Ban size={13} aria-label={t.modes.muted} />}
      {node.mode === "bypassed" && <CircleSlash size={13} aria-label={t.modes.bypassed} />}
      {subgraph && (
        <button
          type="button"
          className="node-fold nodrag"
          aria-label={t.node.enter(title)}
          title={t.node.enter(title)}
          onClick={() => enter(node.id, node.type)}
          tabIndex={-1}
        >
          <Group size={14} />
        </button>
      )}
      <Warning node={node} />
      <State run={run} />
      <Progress run={run} />
    </header>
  );
}

const factsOf = (type: string, kind: NodeKind | undefined): string =>
  [type, kind?.category].filter(Boolean).join(" · ");

/** What would keep the node from running, before anybody tries. */
function Warning({ node }: { node: GraphNode }) {
  const catalog = useCatalog((state) => state.catalog);
  const unsupported = useCatalog((state) => state.unsupported);
  const [folded, linked] = [useFolded(), useLinked(node.id)];
  const found = problemsOf(folded, node, catalog, linked);
  if (found.length === 0) return null;
  const words = found.map((problem) => problemText(problem, unsupported)).join("\n");
  return (
    <span className="node-warning" title={words} role="img" aria-label={words}>
      <TriangleAlert size={13} aria-hidden="true" />
    </span>
  );
}

function State({ run }: { run: NodeRun | undefined }) {
  if (!run) return null;
  if (run.state === "cached") {
    return <span className="node-badge">{t.node.cached}</span>;
  }
  if (run.state === "running") {
    return <Runs run={run} />;
  }
  const seconds = run.state === "done" ? secondsOf(run) : undefined;
  return seconds === undefined ? null : <span className="node-badge">{t.seconds(seconds)}</span>;
}

/** How far a node is; while the service is away, how far it was. */
function Runs({ run }: { run: NodeRun }) {
  const lost = useRun((state) => state.lost !== undefined);
  const steps = run.max > 1 ? `${Math.round(run.value)}/${run.max}` : t.node.running;
  return (
    <span className={lost ? "node-badge" : "node-badge node-badge-running"}>
      <span>{steps}</span>
      {run.span && <Elapsed since={run.span.began} />}
    </span>
  );
}

/** Whole seconds since then, from the first one on. */
function Elapsed({ since }: { since: number }) {
  const seconds = Math.floor((useNow(true) - since) / 1000);
  return seconds > 0 ? <span className="node-elapsed">{t.elapsed(seconds)}</span> : null;
}

function Progress({ run }: { run: NodeRun | undefined }) {
  if (run?.state !== "running") return null;
  const part = run.max > 0 ? run.value / run.max : 0;
  return (
    <div className={part > 0 ? "node-progress" : "node-progress node-progress-open"}>
      <div style={{ transform: `scaleX(${Math.min(1, part || 1)})` }} />
    </div>
  );
}

function Rename({ node, title, done }: { node: GraphNode; title: string; done: () => void }) {
  const [text, setText] = useState(title);
  const cancelled = useRef(false);
  const finish = () => {
    if (!cancelled.current && text !== title) {
      useDocuments
        .getState()
        .editSheet(t.edits.rename, (sheet) => change(sheet, node.id, { title: text || undefined }));
    }
    done();
  };
  return (
    <input
      className="node-rename nodrag"
      aria-label={t.node.title}
      // biome-ignore lint/a11y/noAutofocus: a person asked to type here
      autoFocus
      value={text}
      onFocus={(event) => event.target.select()}
      onChange={(event) => setText(event.target.value)}
      onBlur={finish}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Escape") cancelled.current = true;
        if (event.key === "Escape" || event.key === "Enter") event.currentTarget.blur();
      }}
    />
  );
}
