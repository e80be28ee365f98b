/** The open workflow beside an earlier state of it. */

import { useMemo } from "react";
import { create } from "zustand";
import { type Change, diff } from "../graph/diff";
import type { Workflow } from "../graph/model";
import type { Tab } from "./documents";

/** An earlier state that a tab is compared with. */
export interface Compared {
  /** The tab that is compared. */
  tab: string;
  /** What the earlier state is called. */
  name: string;
  before: Workflow;
}

interface Comparison {
  compared: Compared | null;
  compare(compared: Compared): void;
  stop(): void;
}

/** One tab at a time is compared. */
export const useComparison = create<Comparison>()((set) => ({
  compared: null,
  compare: (compared) => set({ compared }),
  stop: () => set({ compared: null }),
}));

/** What a tab is compared with, if it is. */
export const useCompared = (tab: Tab): Compared | undefined =>
  useComparison(({ compared }) => (compared?.tab === tab.id ? compared : undefined));

/** What changed in a tab since then, new with every edit. */
export function useChanges(tab: Tab, compared: Compared): Change[] {
  const now = tab.history.present;
  return useMemo(() => diff(compared.before, now), [compared, now]);
}
