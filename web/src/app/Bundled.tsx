import { Clock, LayoutList, TriangleAlert } from "lucide-react";
import { useState } from "react";
import { type About, aboutOf } from "../graph/about";
import { openDocument } from "../graph/files";
import type { Catalog } from "../graph/kinds";
import { problems } from "../graph/problems";
import { fetchTemplate, fetchTemplates, templatePicture } from "../server/service";
import { catalogNow } from "../stores/catalog";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { openTemplate } from "./files";
import { useFetched } from "./useFetched";

interface Card extends About {
  pack: string;
  name: string;
  /** Something that it needs is not on this machine. */
  lacks: boolean;
}

const NO_CARDS: Card[] = [];

/** The workflows that come with the service, as cards. */
export function Bundled() {
  const cards = useFetched(knownCards, NO_CARDS);
  const [category, setCategory] = useState("");
  const [query, setQuery] = useState("");
  if (cards.length === 0) return null;
  const present = Object.entries(t.start.categories).filter(([key]) =>
    cards.some((card) => card.category === key),
  );
  const found = cards.filter((card) => matches(card, category, query));
  return (
    <section>
      <div className="start-bar">
        <h2>{t.start.bundled}</h2>
        <fieldset className="chips">
          <legend className="unseen">{t.start.filter}</legend>
          {[["", t.start.all] as const, ...present].map(([key, label]) => (
            <button
              key={key}
              type="button"
              className="chip"
              aria-pressed={category === key}
              onClick={() => setCategory(key)}
            >
              {label}
            </button>
          ))}
        </fieldset>
        <input
          type="search"
          className="start-search"
          aria-label={t.start.filter}
          placeholder={t.start.filter}
          value={query}
          onChange={({ target }) => setQuery(target.value)}
        />
      </div>
      <p className="unseen" role="status">
        {t.start.found(found.length)}
      </p>
      <ul className="cards">
        {found.map((card) => (
          <BundledCard key={`${card.pack}/${card.name}`} card={card} />
        ))}
      </ul>
      {found.length === 0 && <p className="empty">{t.start.none}</p>}
    </section>
  );
}

function BundledCard({ card }: { card: Card }) {
  const { pack, name, words, needs, seconds, lacks } = card;
  const title = card.title || name;
  const open = async (form: boolean): Promise<void> => {
    if (form) useUi.getState().set({ form });
    await openTemplate(pack, name);
  };
  return (
    <li className="card">
      <img src={templatePicture(pack, name)} alt="" width={256} height={256} loading="lazy" />
      <div className="card-text">
        <h3>
          <button type="button" className="card-open" onClick={() => void open(false)}>
            {title}
          </button>
        </h3>
        <p>{words}</p>
        <p className="card-facts">
          {lacks ? (
            <span className="card-lacks" title={t.start.missingHint(needs.join(", "))}>
              <TriangleAlert size={12} aria-hidden="true" /> {t.start.missing}: {needs.join(", ")}
            </span>
          ) : (
            <span>{needs.join(", ") || t.start.nothingNeeded}</span>
          )}
          {seconds !== undefined && (
            <span>
              <Clock size={12} aria-hidden="true" /> {t.start.time(seconds)}
            </span>
          )}
        </p>
      </div>
      <button
        type="button"
        className="icon-button card-form"
        aria-label={t.start.asForm(title)}
        title={t.start.asForm(title)}
        onClick={() => void open(true)}
      >
        <LayoutList size={15} />
      </button>
    </li>
  );
}

function matches(card: Card, category: string, query: string): boolean {
  if (category && card.category !== category) return false;
  const text = [card.name, card.title, card.words, ...card.needs].join(" ").toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** They change with the kinds of nodes that there are, and with nothing else. */
const known = new WeakMap<Catalog, Promise<Card[]>>();

function knownCards(): Promise<Card[]> {
  const catalog = catalogNow();
  const cards = known.get(catalog) ?? templateCards();
  known.set(catalog, cards);
  cards.catch(() => known.delete(catalog));
  return cards;
}

async function templateCards(): Promise<Card[]> {
  const templates = await fetchTemplates();
  const cards = await Promise.all(
    templates.map(async ({ pack, name }): Promise<Card> => {
      const document = await fetchTemplate(pack, name);
      return { pack, name, ...aboutOf(document), lacks: lacksModel(document, name) };
    }),
  );
  const order = Object.keys(t.start.categories);
  const rank = ({ category, seconds = 0 }: Card): number =>
    (order.indexOf(category) + order.length + 1) * 1000 + seconds;
  return cards.sort((one, other) => rank(one) - rank(other));
}

/** Whether a workflow names a model that no choice of its node has. */
export function lacksModel(document: unknown, name: string): boolean {
  const catalog = catalogNow();
  const workflow = openDocument(document, name, catalog);
  return [...problems(workflow, workflow.root, catalog).values()].some((found) =>
    found.some(({ kind }) => kind === "option"),
  );
}
