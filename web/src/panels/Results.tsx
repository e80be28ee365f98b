import { Search, Trash2, X } from "lucide-react";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { tell } from "../app/files";
import { KINDS, type Piece } from "../server/gallery";
import { useGallery } from "../stores/gallery";
import { useRun } from "../stores/run";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { IconButton } from "../widgets/IconButton";
import { PieceTile } from "./PieceTile";

const PAUSE_MS = 200;
/** Tiles that are drawn, or not, together; a multiple of however many stand in a row. */
const STRETCH = 60;
/** How far out of sight tiles are drawn already. */
const MARGIN = "1200px 0px";

/** What jobs made, newest first, found by the words of their prompts. */
export function Results() {
  const { pieces, query, kind, known, picked } = useGallery();
  const { look } = useGallery.getState();
  const [words, setWords] = useState(query);
  useNews();
  useEffect(() => {
    if (words === useGallery.getState().query) return;
    const pause = window.setTimeout(() => {
      void tell(() => look(words, useGallery.getState().kind));
    }, PAUSE_MS);
    return () => window.clearTimeout(pause);
  }, [words, look]);
  const nothing = query === "" && kind === undefined ? t.results.empty : t.results.none;
  return (
    <>
      <search className="results-search">
        <Search size={14} aria-hidden="true" />
        <input
          type="search"
          aria-label={t.results.search}
          placeholder={t.results.search}
          value={words}
          onChange={(event) => setWords(event.target.value)}
        />
      </search>
      <fieldset className="results-kinds" aria-label={t.results.kinds.label}>
        {[undefined, ...KINDS].map((one) => (
          <button
            key={one ?? "all"}
            type="button"
            aria-pressed={kind === one}
            onClick={() => void tell(() => look(query, one))}
          >
            {t.results.kinds[one ?? "all"]}
          </button>
        ))}
      </fieldset>
      {known && pieces.length === 0 && <p className="empty">{nothing}</p>}
      <Pieces busy={words !== query || !known} />
      {picked.size > 0 && <Picked />}
    </>
  );
}

/** Looks again whenever a job has ended. */
function useNews(): void {
  const ended = useRun(({ list }) =>
    list
      .filter(({ status }) => status !== "pending" && status !== "in_progress")
      .map(({ id }) => id)
      .join(),
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked for again when jobs have ended
  useEffect(() => {
    void tell(useGallery.getState().refresh);
  }, [ended]);
}

/** Looks at one of the pieces in full. */
function open(id: number): void {
  const { pieces } = useGallery.getState();
  const at = pieces.findIndex((piece) => piece.id === id);
  useUi.getState().set({ lightbox: { at, among: pieces.map(({ file }) => file) } });
}

function Pieces({ busy }: { busy: boolean }) {
  const { pieces, next, more } = useGallery();
  const [at, setAt] = useState<number>();
  const end = useRef<HTMLButtonElement>(null);
  const here = pieces.some(({ id }) => id === at) ? at : pieces[0]?.id;
  useEffect(() => {
    const seen = new IntersectionObserver((changes) => {
      if (changes.some(({ isIntersecting }) => isIntersecting)) void tell(more);
    });
    if (next !== null && end.current) seen.observe(end.current);
    return () => seen.disconnect();
  }, [next, more]);
  const onKey = (event: KeyboardEvent<HTMLElement>): void => {
    const piece = pieces.find(({ id }) => id === here);
    const { askToDelete, pick } = useGallery.getState();
    if (event.key === "Delete" && piece) askToDelete([piece]);
    else if (event.key === "x" && piece) pick(piece.id);
    else if (!moved(event)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  const stretches = Array.from({ length: Math.ceil(pieces.length / STRETCH) }, (_, number) =>
    pieces.slice(number * STRETCH, (number + 1) * STRETCH),
  );
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys of the buttons inside
    <div aria-busy={busy} onKeyDown={onKey}>
      {stretches.map((stretch, number) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a stretch is its place in the list
        <Stretch key={number} pieces={stretch} here={here} onHere={setAt} onOpen={open} />
      ))}
      {next !== null && (
        <div className="pieces-more">
          <button ref={end} type="button" className="quiet" onClick={() => void tell(more)}>
            {t.results.more}
          </button>
        </div>
      )}
    </div>
  );
}

interface StretchProps {
  pieces: readonly Piece[];
  here: number | undefined;
  onHere(id: number): void;
  onOpen(id: number): void;
}

/** Some tiles, drawn only while they are near what is seen; else as high as they were. */
function Stretch({ pieces, here, onHere, onOpen }: StretchProps) {
  const list = useRef<HTMLUListElement>(null);
  /** Of the tiles that are not drawn; undefined: they are. */
  const [height, setHeight] = useState<number>();
  useEffect(() => {
    const place = list.current;
    if (!place) return;
    const root = place.closest(".dock-body");
    const seen = new IntersectionObserver(
      (changes) => {
        const near = changes.at(-1)?.isIntersecting ?? true;
        setHeight((known) => (near ? undefined : (known ?? place.offsetHeight)));
      },
      { root, rootMargin: MARGIN },
    );
    seen.observe(place);
    return () => seen.disconnect();
  }, []);
  // The one that the Tab key stops at stays.
  const drawn = height === undefined || pieces.some(({ id }) => id === here);
  return (
    <ul
      ref={list}
      className="pieces"
      aria-label={t.results.list}
      style={drawn ? undefined : { height }}
    >
      {drawn &&
        pieces.map((piece) => (
          <PieceTile
            key={piece.id}
            piece={piece}
            here={piece.id === here}
            onHere={onHere}
            onOpen={onOpen}
          />
        ))}
    </ul>
  );
}

/** Moves the focus to the piece that lies in the direction of an arrow key. */
function moved(event: KeyboardEvent<HTMLElement>): boolean {
  const all = [...event.currentTarget.querySelectorAll<HTMLElement>("[data-piece]")];
  const from = all.findIndex((one) => one.contains(document.activeElement));
  const to = all[target(all, from, event.key) ?? -1];
  if (!to) return false;
  to.querySelector<HTMLElement>(".piece-look")?.focus();
  to.scrollIntoView({ block: "nearest" });
  return true;
}

function target(all: readonly HTMLElement[], from: number, key: string): number | undefined {
  if (key === "ArrowLeft") return from - 1;
  if (key === "ArrowRight") return from + 1;
  if (key === "Home") return 0;
  if (key === "End") return all.length - 1;
  if (key !== "ArrowUp" && key !== "ArrowDown") return undefined;
  const way = key === "ArrowUp" ? -1 : 1;
  const here = all[from]?.getBoundingClientRect();
  for (let at = from + way; here && at >= 0 && at < all.length; at += way) {
    const there = all[at]?.getBoundingClientRect();
    // The first one of another row that overlaps, or that is all of its row.
    const other = there && Math.abs(there.top - here.top) > 4;
    if (other && there.left < here.right && there.right > here.left) return at;
  }
  return undefined;
}

function Picked() {
  const { pieces, picked, unpick, askToDelete } = useGallery();
  const chosen = pieces.filter(({ id }) => picked.has(id));
  const [left, right] = chosen.filter(({ kind }) => kind === "picture");
  const compare = (): void => {
    if (!left || !right) return;
    // The older one is on the left.
    useUi.getState().set({ lightbox: { at: 0, among: [left.file], beside: right.file } });
  };
  return (
    <div className="picked">
      <span>{t.results.picked(chosen.length)}</span>
      {chosen.length === 2 && right && (
        <button type="button" className="quiet" onClick={compare}>
          {t.results.compare}
        </button>
      )}
      <button type="button" className="quiet" onClick={() => askToDelete(chosen)}>
        <Trash2 size={14} />
        {t.results.remove}
      </button>
      <IconButton label={t.results.unpick} act={unpick}>
        <X size={15} />
      </IconButton>
    </div>
  );
}
