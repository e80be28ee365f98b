/** The kinds of nodes, as the service has them: read once, and again when it comes back. */

import { create } from "zustand";
import type { Catalog } from "../graph/kinds";
import { OWN_KINDS } from "../graph/kinds";
import { fetchCatalog } from "../server/service";

interface CatalogState {
  catalog: Catalog;
  ready: boolean;
  load(): Promise<void>;
}

export const useCatalog = create<CatalogState>()((set) => ({
  catalog: new Map(OWN_KINDS.map((kind) => [kind.id, kind])),
  ready: false,
  async load() {
    const { catalog } = await fetchCatalog();
    set({ catalog, ready: true });
  },
}));

export const catalogNow = (): Catalog => useCatalog.getState().catalog;
