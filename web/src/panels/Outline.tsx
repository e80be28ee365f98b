import { Search } from "lucide-react";
import { type KeyboardEvent, useRef, useState } from "react";
import { typeStyle } from "../canvas/colours";
import { refusal } from "../graph/connect";
import { change, connect, disconnect, setMode } from "../graph/edits";
import { type Catalog, titleOf } from "../graph/kinds";
import {
  type GraphNode,
  linkedInputs,
  linkInto,
  type Mode,
  type Sheet,
  sheetOf,
  type Workflow,
} from "../graph/model";
import { reading } from "../graph/reading";
import { outputType, socketsOf } from "../graph/sockets";
import { useCatalog } from "../stores/catalog";
import { type Tab, useDocuments } from "../stores/documents";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { Field } from "../widgets/Field";

/** The graph as a list in the order in which it runs; the selected node can be edited here with
 * plain controls, its links too. */
export function Outline({ tab }: { tab: Tab }) {
  const catalog = useCatalog((state) => state.catalog);
  const workflow = tab.history.present;
  const sheet = sheetOf(workflow, tab.sheet);
  const list = useRef<HTMLOListElement>(null);
  const [words, setWords] = useState("");
  const all = reading(sheet);
  const nodes = all.filter((node) => matches(words, workflow, node, catalog));
  if (all.length === 0) return <p className="empty">{t.outline.empty}</p>;
  const choose = (id: string): void => {
    useDocuments.getState().select([id]);
    useUi.getState().view?.fit([id]);
  };
  const [first] = nodes;
  const onKey = (event: KeyboardEvent<HTMLInputElement>): void => {
    if (event.key === "Enter" && first) choose(first.id);
    else if (event.key === "ArrowDown") {
      list.current?.querySelector<HTMLElement>(".outline-node")?.focus();
    } else if (event.key === "Escape" && words) setWords("");
    else return;
    event.preventDefault();
  };
  return (
    <>
      <search className="outline-search">
        <Search size={14} aria-hidden="true" />
        <input
          type="search"
          aria-label={t.outline.search}
          placeholder={t.outline.search}
          value={words}
          onChange={({ target }) => setWords(target.value)}
          onKeyDown={onKey}
        />
      </search>
      {nodes.length === 0 && <p className="empty">{t.outline.none(words)}</p>}
      <ol ref={list} className="outline">
        {nodes.map((node) => {
          const selected = tab.selection.has(node.id);
          const type = catalog.get(node.type)?.outputs[0]?.type ?? "*";
          return (
            <li key={node.id} className={selected ? "outline-selected" : ""}>
              <button
                type="button"
                className={`outline-node outline-${node.mode}`}
                aria-expanded={selected}
                onClick={() => choose(node.id)}
              >
                <span className="dot" style={typeStyle(type)} />
                <span className="outline-title">{titleOf(workflow, node, catalog)}</span>
                <span className="outline-id">{node.id}</span>
              </button>
              {selected && tab.selection.size === 1 && (
                <Inspector tab={tab} sheet={sheet} node={node} />
              )}
            </li>
          );
        })}
      </ol>
    </>
  );
}

/** Whether a node has all words in its title, its type or its id. */
function matches(words: string, workflow: Workflow, node: GraphNode, catalog: Catalog): boolean {
  const text = `${titleOf(workflow, node, catalog)} ${node.type} ${node.id}`.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

const MODES: Mode[] = ["run", "muted", "bypassed"];

function Inspector({ tab, sheet, node }: { tab: Tab; sheet: Sheet; node: GraphNode }) {
  const catalog = useCatalog((state) => state.catalog);
  const workflow = tab.history.present;
  const { inputs, bare = [] } = socketsOf(workflow, node, catalog, linkedInputs(sheet, node.id));
  const rows = [...inputs, ...bare.map((kind) => ({ name: kind.name, kind }))];
  const { editSheet } = useDocuments.getState();
  return (
    <div className="inspector">
      <p className="inspector-words">{catalog.get(node.type)?.description}</p>
      <label className="inspector-row">
        <span>{t.outline.title}</span>
        <input
          value={node.title ?? ""}
          placeholder={titleOf(workflow, { ...node, title: undefined }, catalog)}
          onChange={({ target }) =>
            editSheet(
              t.edits.rename,
              (now) => change(now, node.id, { title: target.value || undefined }),
              `title:${node.id}`,
            )
          }
        />
      </label>
      {rows.map((input) => {
        const link = linkInto(sheet, node.id, input.name);
        if (input.kind?.widget && input.kind.widget.kind !== "kept" && !link) {
          return (
            <Field
              key={input.name}
              node={node.id}
              input={input.kind}
              widget={input.kind.widget}
              value={node.values[input.name] ?? input.kind.default ?? null}
              after={node.after[input.name]}
            />
          );
        }
        return <Source key={input.name} tab={tab} sheet={sheet} node={node} input={input.name} />;
      })}
      <label className="inspector-row">
        <span>{t.outline.mode}</span>
        <select
          value={node.mode}
          onChange={({ target }) =>
            editSheet(t.modes[target.value as Mode], (now) =>
              setMode(now, [node.id], target.value as Mode),
            )
          }
        >
          {MODES.map((mode) => (
            <option key={mode} value={mode}>
              {t.modes[mode]}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

interface SourceProps {
  tab: Tab;
  sheet: Sheet;
  node: GraphNode;
  input: string;
}

/** Where an input comes from, chosen from all outputs that fit. */
function Source({ tab, sheet, node, input }: SourceProps) {
  const catalog = useCatalog((state) => state.catalog);
  const workflow = tab.history.present;
  const link = linkInto(sheet, node.id, input);
  const { editSheet } = useDocuments.getState();
  const fitting = Object.values(sheet.nodes).flatMap((from) =>
    socketsOf(workflow, from, catalog).outputs.flatMap((output, slot) => {
      const drawn = { from: from.id, slot, to: node.id, input };
      if (refusal(workflow, sheet, catalog, drawn) !== null) return [];
      return [{ key: `${slot}@${from.id}`, drawn, output, from }];
    }),
  );
  const choose = (key: string): void => {
    const chosen = fitting.find((one) => one.key === key);
    if (chosen) {
      const type = outputType(workflow, sheet, catalog, chosen.drawn.from, chosen.drawn.slot);
      editSheet(t.edits.connect, (now) => connect(now, { ...chosen.drawn, type }));
    } else if (link) {
      editSheet(t.edits.disconnect, (now) => disconnect(now, link.id));
    }
  };
  return (
    <label className="inspector-row">
      <span>{input}</span>
      <select
        value={link ? `${link.slot}@${link.from}` : ""}
        onChange={({ target }) => choose(target.value)}
      >
        <option value="">{t.outline.nothing}</option>
        {fitting.map(({ key, output, from }) => (
          <option key={key} value={key}>
            {`${titleOf(workflow, from, catalog)} (${from.id}) · ${output.name}`}
          </option>
        ))}
      </select>
    </label>
  );
}
