import { type ReactNode, useEffect, useState } from "react";
import { tell } from "../app/files";
import { type Recipe, recipeOf, type Value } from "../graph/recipe";
import { fetchPieces, kindOf, type Piece } from "../server/gallery";
import { type File, fileNamed, SMALL, SMALL_PREVIEW, viewAddress } from "../server/service";
import { useCatalog } from "../stores/catalog";
import { t } from "../strings";
import { Picture } from "../widgets/Picture";
import { promptOf } from "./origin";

interface DetailsProps {
  piece: Piece;
  pixels: string;
  /** How it differs from what it is compared with. */
  beside: ReactNode;
  /** Puts another picture beside this one. */
  compare(other: File): void;
}

/** What a result is and what it was made of. */
export function Details({ piece, pixels, beside, compare }: DetailsProps) {
  const { recipe, before, known } = useOrigin(piece);
  const facts: [string, string][] = [
    [t.results.facts.pixels, pixels],
    [t.results.facts.size, t.results.size(piece.size)],
    [t.results.facts.made, t.results.date(piece.made)],
    [t.results.facts.took, t.seconds(piece.took / 1000)],
    ...lines(t.results.facts.seed, recipe?.seeds),
    ...lines(t.results.facts.model, recipe?.models),
  ];
  const picture = piece.kind === "picture";
  return (
    <aside className="details" aria-label={t.results.details}>
      {beside}
      {recipe && recipe.texts.length > 0 && (
        <section>
          <h3>{t.results.prompt}</h3>
          {recipe.texts.map((value) => (
            <p key={`${value.title} ${value.input} ${value.text}`} className="details-text">
              <span>{value.title}</span>
              {value.text}
            </p>
          ))}
        </section>
      )}
      <dl className="details-facts">
        {facts
          .filter(([, text]) => text)
          .map(([name, text]) => (
            <div key={`${name} ${text}`}>
              <dt>{name}</dt>
              <dd>{text}</dd>
            </div>
          ))}
      </dl>
      {picture && recipe && <Inputs recipe={recipe} compare={compare} />}
      {picture && before && (
        <button type="button" className="quiet" onClick={() => compare(before)}>
          {t.results.compareBefore}
        </button>
      )}
      {known && !recipe && <p className="details-unknown">{t.results.unknown}</p>}
      {recipe && <Nodes recipe={recipe} />}
    </aside>
  );
}

const lines = (name: string, values: readonly Value[] = []): [string, string][] =>
  [...new Set(values.map(({ text }) => text))].map((text) => [name, text]);

interface Origin {
  recipe?: Recipe;
  /** What the same node showed in the run before. */
  before?: File;
  known: boolean;
}

function useOrigin(piece: Piece): Origin {
  const catalog = useCatalog(({ catalog }) => catalog);
  const [origin, setOrigin] = useState<Origin>({ known: false });
  useEffect(() => {
    let over = false;
    setOrigin({ known: false });
    void tell(async () => {
      const [prompt, before] = await Promise.all([promptOf(piece), fileBefore(piece)]);
      const recipe = recipeOf(prompt, piece.node, catalog);
      if (!over) setOrigin({ recipe, before, known: true });
    });
    return () => {
      over = true;
    };
  }, [piece, catalog]);
  return origin;
}

const SOME = 20;

async function fileBefore({ id, made, workflow, node, kind }: Piece): Promise<File | undefined> {
  if (workflow === null || kind !== "picture") return undefined;
  const { files } = await fetchPieces({ workflow, node, kind, before: id, limit: SOME });
  return files.find((one) => one.made !== made)?.file;
}

function Inputs({ recipe, compare }: { recipe: Recipe; compare(other: File): void }) {
  const names = [...new Set(recipe.files.map(({ name }) => name))];
  const pictures = names.map(fileNamed).filter(({ filename }) => kindOf(filename) === "picture");
  if (pictures.length === 0) return null;
  return (
    <section>
      <h3>{t.results.inputs}</h3>
      <div className="details-inputs">
        {pictures.map((file) => (
          <button
            key={viewAddress(file)}
            type="button"
            aria-label={t.results.compareInput(file.filename)}
            title={t.results.compareInput(file.filename)}
            onClick={() => compare(file)}
          >
            <Picture file={file} preview={SMALL_PREVIEW} size={SMALL} alt="" />
          </button>
        ))}
      </div>
    </section>
  );
}

function Nodes({ recipe }: { recipe: Recipe }) {
  return (
    <details>
      <summary>{t.results.values}</summary>
      {recipe.nodes
        .filter(({ values }) => values.length > 0)
        .map(({ id, title, values }) => (
          <section key={id}>
            <h4>{title}</h4>
            <dl className="details-facts">
              {values.map(({ input, text }) => (
                <div key={input}>
                  <dt>{input}</dt>
                  <dd>{text}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
    </details>
  );
}
