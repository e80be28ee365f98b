/** What jobs made, as far as it was looked at; one page after the other. */

import { create } from "zustand";
import { deletePiece, fetchPieces, type Kind, type Piece } from "../server/gallery";

interface Gallery {
  query: string;
  kind: Kind | undefined;
  pieces: readonly Piece[];
  /** Before which id the next page begins; null: there is none. */
  next: number | null;
  /** The pieces are those that were asked for. */
  known: boolean;
  picked: ReadonlySet<number>;
  /** What somebody wants to delete, until they said that they mean it. */
  toDelete: readonly Piece[];
  /** Begins anew with other words, or another kind. */
  look(query: string, kind: Kind | undefined): Promise<void>;
  /** Takes in what was made since. */
  refresh(): Promise<void>;
  more(): Promise<void>;
  pick(id: number): void;
  unpick(): void;
  askToDelete(pieces: readonly Piece[]): void;
  /** Deletes what was chosen for it; the files that are gone. */
  remove(): Promise<readonly Piece[]>;
}

const NONE: ReadonlySet<number> = new Set();

/** The results that were looked at. */
export const useGallery = create<Gallery>()((set, get) => {
  let asking: Promise<void> | undefined;
  const isAsked = (query: string, kind: Kind | undefined): boolean =>
    get().query === query && get().kind === kind;
  return {
    query: "",
    kind: undefined,
    pieces: [],
    next: null,
    known: false,
    picked: NONE,
    toDelete: [],
    async look(query, kind) {
      set({ query, kind, picked: NONE, known: false });
      const { files: pieces, next } = await fetchPieces({ query, kind });
      if (isAsked(query, kind)) set({ pieces, next, known: true });
    },
    async refresh() {
      const { query, kind } = get();
      const { files, next } = await fetchPieces({ query, kind });
      if (!isAsked(query, kind)) return;
      const oldest = files.at(-1)?.id ?? 0;
      const older = next === null ? [] : get().pieces.filter(({ id }) => id < oldest);
      // Whoever has seen more than a page goes on from where they were.
      const after = older.length > 0 ? get().next : next;
      set({ pieces: [...files, ...older], next: after, known: true });
    },
    more() {
      const { query, kind, next } = get();
      if (next === null) return Promise.resolve();
      asking ??= fetchPieces({ query, kind, before: next })
        .then((page) => {
          if (!isAsked(query, kind) || get().next !== next) return;
          set({ pieces: [...get().pieces, ...page.files], next: page.next });
        })
        .finally(() => {
          asking = undefined;
        });
      return asking;
    },
    pick(id) {
      const picked = new Set(get().picked);
      if (!picked.delete(id)) picked.add(id);
      set({ picked });
    },
    unpick: () => set({ picked: NONE }),
    askToDelete: (toDelete) => set({ toDelete }),
    async remove() {
      const { toDelete } = get();
      const gone: Piece[] = [];
      set({ toDelete: [] });
      try {
        for (const piece of toDelete) {
          await deletePiece(piece.id);
          gone.push(piece);
        }
      } finally {
        const ids = new Set(gone.map(({ id }) => id));
        const picked = new Set([...get().picked].filter((id) => !ids.has(id)));
        set({ pieces: get().pieces.filter(({ id }) => !ids.has(id)), picked });
      }
      return gone;
    },
  };
});
