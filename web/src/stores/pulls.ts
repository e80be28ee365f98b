/** Models that come, asked for as long as one does. */

import { create } from "zustand";
import {
  beginPull,
  fetchPulls,
  type Offer,
  type Pull,
  stopPull,
  type Wanted,
} from "../server/models";
import { t } from "../strings";
import { useCatalog } from "./catalog";
import { useUi } from "./ui";

interface Pulls {
  pulls: readonly Pull[];
  offers: readonly Offer[];
  /** Asks the service once, and again while something comes. */
  look(): void;
  begin(wanted: Wanted): Promise<void>;
  stop(id: string): Promise<void>;
}

const PAUSE = 500;

/** What the service fetches now, and what it may. */
export const usePulls = create<Pulls>()((set, get) => {
  let timer = 0;
  let known = false;
  const refresh = async (): Promise<void> => {
    window.clearTimeout(timer);
    const running = new Set(
      get().pulls.flatMap(({ id, state }) => (state === "running" ? id : [])),
    );
    try {
      set(await fetchPulls());
      for (const pull of get().pulls) {
        if (!running.has(pull.id) || pull.state !== "done") continue;
        await useCatalog.getState().load();
        useUi.getState().say(t.widget.model.here(pull.name));
      }
    } catch {
      // The service is away; what it was told to fetch is asked for when it is back.
    }
    if (get().pulls.some(({ state }) => state === "running"))
      timer = window.setTimeout(refresh, PAUSE);
  };
  return {
    pulls: [],
    offers: [],
    look() {
      if (known) return;
      known = true;
      void refresh();
    },
    async begin(wanted) {
      await beginPull(wanted);
      await refresh();
    },
    async stop(id) {
      await stopPull(id);
      await refresh();
    },
  };
});

/** The newest pull of a model. */
export function usePull(folder: string, name: string): Pull | undefined {
  return usePulls(({ pulls }) =>
    pulls.findLast((pull) => pull.folder === folder && pull.name === name),
  );
}
