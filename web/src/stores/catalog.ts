/** The kinds of nodes, as the service has them: read once, and again when it comes back. */

import { create } from "zustand";
import { type Catalog, OWN_KINDS } from "../graph/kinds";
import { fetchCatalog, fetchUnsupported } from "../server/service";

interface CatalogState {
  catalog: Catalog;
  /** Ids of ComfyUI's own nodes that the service does not have. */
  unsupported: ReadonlySet<string>;
  ready: boolean;
  load(): Promise<void>;
}

/** At first it has the kinds of the editor alone. */
export const useCatalog = create<CatalogState>()((set) => ({
  catalog: new Map(OWN_KINDS.map((kind) => [kind.id, kind])),
  unsupported: new Set(),
  ready: false,
  async load() {
    const [{ catalog }, unsupported] = await Promise.all([fetchCatalog(), fetchUnsupported()]);
    set({ catalog, unsupported, ready: true });
  },
}));

/** The catalog as it is now, for handlers. */
export const catalogNow = (): Catalog => useCatalog.getState().catalog;
