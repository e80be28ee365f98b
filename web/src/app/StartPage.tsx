import { FileUp, Play, Plus } from "lucide-react";
import { useEffect, useState } from "react";
import { openDocument } from "../graph/files";
import { estimated } from "../graph/layout";
import type { Workflow } from "../graph/model";
import { fetchSaved, fetchTemplate, fetchTemplates } from "../server/service";
import { catalogNow } from "../stores/catalog";
import { useDocuments } from "../stores/documents";
import { t } from "../strings";
import { drafts } from "./drafts";
import { newWorkflow, openSaved, openTemplate, pickFiles } from "./files";
import { run } from "./run";
import { Sketch, type SketchBox } from "./Sketch";

interface Card {
  key: string;
  name: string;
  workflow?: Workflow;
  open(): void;
}

const FIRST = { pack: "soundstage", name: "hello" };

async function first(): Promise<void> {
  if (await openTemplate(FIRST.pack, FIRST.name)) await run();
}

/** What to begin with: the demo in one click, bundled workflows, what was open, what was saved. */
export function StartPage() {
  const templates = useCards(templateCards);
  const recent = useCards(draftCards);
  const saved = useCards(savedCards);
  return (
    <div className="start">
      <div className="start-inner">
        <section className="start-hero">
          <h1>{t.start.title}</h1>
          <p>{t.start.words}</p>
          <div className="start-actions">
            <button type="button" className="run run-large" onClick={() => void first()}>
              <Play size={18} /> {t.start.demo}
            </button>
            <button type="button" className="quiet" onClick={newWorkflow}>
              <Plus size={16} /> {t.start.empty}
            </button>
            <button type="button" className="quiet" onClick={pickFiles}>
              <FileUp size={16} /> {t.start.open}
            </button>
          </div>
        </section>
        <Cards title={t.start.recent} cards={recent} />
        <Cards title={t.start.bundled} cards={templates} />
        <Cards title={t.start.saved} cards={saved} />
      </div>
    </div>
  );
}

function useCards(load: () => Promise<Card[]>): Card[] {
  const [cards, setCards] = useState<Card[]>([]);
  useEffect(() => {
    let over = false;
    load()
      .then((found) => !over && setCards(found))
      .catch(() => undefined);
    return () => {
      over = true;
    };
  }, [load]);
  return cards;
}

async function templateCards(): Promise<Card[]> {
  const templates = await fetchTemplates();
  return Promise.all(
    templates.map(async ({ pack, name }) => {
      const document = await fetchTemplate(pack, name);
      const workflow = openDocument(document, name, catalogNow());
      return { key: `${pack}/${name}`, name, workflow, open: () => void openTemplate(pack, name) };
    }),
  );
}

async function draftCards(): Promise<Card[]> {
  const { open } = useDocuments.getState();
  return (await drafts()).slice(0, 8).map(({ id, name, workflow }) => ({
    key: id,
    name,
    workflow,
    open: () => open(workflow, name),
  }));
}

async function savedCards(): Promise<Card[]> {
  const names = await fetchSaved();
  return names.map((name) => ({
    key: name,
    name: name.replace(/\.json$/, ""),
    open: () => void openSaved(name),
  }));
}

function Cards({ title, cards }: { title: string; cards: Card[] }) {
  if (cards.length === 0) return null;
  return (
    <section>
      <h2>{title}</h2>
      <ul className="cards">
        {cards.map(({ key, name, workflow, open }) => (
          <li key={key}>
            <button type="button" className="card" onClick={open}>
              {workflow && <Sketch boxes={boxesOf(workflow)} />}
              <span className="card-name">{name}</span>
              {workflow && (
                <span className="card-words">
                  {t.nodes(Object.keys(workflow.root.nodes).length)}
                </span>
              )}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function boxesOf(workflow: Workflow): SketchBox[] {
  const catalog = catalogNow();
  return Object.values(workflow.root.nodes).map((node) => ({
    x: node.x,
    y: node.y,
    type: catalog.get(node.type)?.outputs[0]?.type ?? "*",
    ...estimated(workflow, node, catalog),
  }));
}
