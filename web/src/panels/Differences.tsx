import { useEffect, useState } from "react";
import { tell } from "../app/files";
import { type Difference, differences } from "../graph/recipe";
import type { File } from "../server/service";
import { useCatalog } from "../stores/catalog";
import { t } from "../strings";
import { recipeOfFile } from "./origin";

/** How two results were made differently, once it is known. */
export interface Found {
  /** Of the first one, of the second one, that nothing is known of what it was made from. */
  unknown: { left: boolean; right: boolean };
  all: Difference[];
  /** The short ones in a few words, for each side. */
  words: { left: string; right: string };
}

/** How the left one of two results was made differently from the right one. */
export function useDifferences(left: File | undefined, right: File | undefined): Found | undefined {
  const catalog = useCatalog((state) => state.catalog);
  const [found, setFound] = useState<{ left: File; right: File; found: Found }>();
  useEffect(() => {
    if (!left || !right) return;
    let over = false;
    void tell(async () => {
      const recipes = [recipeOfFile(left, catalog), recipeOfFile(right, catalog)] as const;
      const [one, other] = await Promise.all(recipes);
      const all = one && other ? differences(one, other) : [];
      const words = { left: brief(all, "left"), right: brief(all, "right") };
      const unknown = { left: !one, right: !other };
      if (!over) setFound({ left, right, found: { unknown, all, words } });
    });
    return () => {
      over = true;
    };
  }, [left, right, catalog]);
  return found?.left === left && found?.right === right ? found?.found : undefined;
}

const LONGEST = 24;
const MOST = 3;

/** What is said at a picture: short values that the other one has otherwise. */
function brief(all: readonly Difference[], side: "left" | "right"): string {
  const values = all.flatMap((one) => {
    const text = one.kind === "value" ? one[side] : undefined;
    return one.kind === "value" && text && text.length <= LONGEST ? [`${one.input} ${text}`] : [];
  });
  return values.slice(0, MOST).join(", ");
}

interface DifferencesProps {
  left: File;
  right: File;
  found: Found | undefined;
}

/** What differs between two results, in words. */
export function Differences({ left, right, found }: DifferencesProps) {
  if (!found) return null;
  const { unknown, all } = found;
  const unknowns = [unknown.left && left, unknown.right && right].filter((file) => !!file);
  return (
    <section aria-label={t.results.differs}>
      <h3>{t.results.differs}</h3>
      {unknowns.map(({ filename }) => (
        <p key={filename} className="details-unknown">
          {t.results.unknownOf(filename)}
        </p>
      ))}
      {unknowns.length === 0 && all.length === 0 && <p>{t.results.same}</p>}
      <ul className="differences">
        {all.map((one) => (
          <li key={one.kind === "value" ? `${one.title} ${one.input}` : `${one.kind} ${one.title}`}>
            <Words difference={one} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Words({ difference }: { difference: Difference }) {
  if (difference.kind !== "value") {
    const { onlyLeft, onlyRight } = t.results;
    return (difference.kind === "left" ? onlyLeft : onlyRight)(difference.title);
  }
  const { title, input, left = "", right = "" } = difference;
  return (
    <>
      <span className="differences-name">{`${title}: ${input}`}</span>
      <span>{`${t.results.left} ${left || t.results.nothing}`}</span>
      <span>{`${t.results.right} ${right || t.results.nothing}`}</span>
    </>
  );
}
