/** Open workflows kept in the browser: a reload, or a crash, loses nothing. */

import { delMany, get, getMany, keys, setMany } from "idb-keyval";
import type { History } from "../graph/history";
import type { Workflow } from "../graph/model";
import { AT_ROOT, type Tab, useDocuments } from "../stores/documents";
import { historyOf, lastSteps, type Steps } from "./steps";

/** A workflow as it is kept. */
export interface Draft {
  version: 1;
  id: string;
  name: string;
  workflow: Workflow;
  changed: number;
}

const OPEN = "soundstage.open";
const WAIT = 400;
const MOST = 50;

/** The steps that led to a draft are kept beside it: whoever lists drafts need not read them. */
const STEPS = "steps:";
const stepsOf = (id: string): string => STEPS + id;

/** The drafts, newest first; old ones beyond the most are dropped. */
export async function drafts(): Promise<Draft[]> {
  const ids = (await keys<string>()).filter((key) => !key.startsWith(STEPS));
  const known = (await getMany<Draft | undefined>(ids)).filter((draft) => draft?.version === 1);
  const sorted = known.flatMap((draft) => draft ?? []);
  sorted.sort((one, other) => other.changed - one.changed);
  await delMany(sorted.slice(MOST).flatMap(({ id }) => [id, stepsOf(id)]));
  return sorted.slice(0, MOST);
}

async function historyTo({ id, changed, workflow }: Draft): Promise<History<Workflow>> {
  const steps = await get<Steps>(stepsOf(id)).catch(() => undefined);
  return historyOf(workflow, changed, steps);
}

/** Opens what was open in this browser tab before it was reloaded. */
export async function restore(): Promise<void> {
  const stored = sessionStorage.getItem(OPEN);
  if (!stored) return;
  const { ids, active } = JSON.parse(stored) as { ids: string[]; active: string | null };
  const found = new Map((await drafts()).map((draft) => [draft.id, draft]));
  const open = ids.flatMap((id) => found.get(id) ?? []);
  const tabs = await Promise.all(
    open.map(async (draft): Promise<Tab> => {
      const { id, name } = draft;
      return { id, name, history: await historyTo(draft), ...AT_ROOT };
    }),
  );
  useDocuments.setState({ tabs, active: tabs.some(({ id }) => id === active) ? active : null });
}

/** Opens a draft again, with the steps that led to it. */
export async function reopen(draft: Draft): Promise<void> {
  const history = await historyTo(draft);
  useDocuments.getState().open(history.present, draft.name, { history });
}

/** Keeps every change from now on, until the function that it gives is called. */
export function keep(): () => void {
  const kept = new Map<string, Workflow>();
  let timer = 0;
  const write = (): void => {
    const { tabs } = useDocuments.getState();
    for (const id of kept.keys()) if (!tabs.some((tab) => tab.id === id)) kept.delete(id);
    for (const { id, name, history } of tabs) {
      if (kept.get(id) === history.present) continue;
      kept.set(id, history.present);
      const changed = Date.now();
      const draft: Draft = { version: 1, id, name, workflow: history.present, changed };
      // At once, or not at all: steps to something else would be of no use.
      void setMany([
        [id, draft],
        [stepsOf(id), lastSteps(changed, history)],
      ]);
    }
  };
  const later = (): void => {
    window.clearTimeout(timer);
    timer = window.setTimeout(write, WAIT);
  };
  const stop = useDocuments.subscribe(({ tabs, active }) => {
    sessionStorage.setItem(OPEN, JSON.stringify({ ids: tabs.map(({ id }) => id), active }));
    if (tabs.every(({ id }) => kept.has(id))) later();
    else write();
  });
  // What is written when the page is hidden may come too late for a reload.
  const leaving = ["beforeunload", "pagehide"];
  for (const event of leaving) window.addEventListener(event, write);
  return () => {
    stop();
    window.clearTimeout(timer);
    for (const event of leaving) window.removeEventListener(event, write);
  };
}
