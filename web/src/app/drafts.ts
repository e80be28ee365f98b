/** Open workflows kept in the browser: a reload, or a crash, loses nothing. */

import { delMany, entries, set } from "idb-keyval";
import { begin } from "../graph/history";
import type { Workflow } from "../graph/model";
import { AT_ROOT, type Tab, useDocuments } from "../stores/documents";

interface Draft {
  version: 1;
  id: string;
  name: string;
  workflow: Workflow;
  changed: number;
}

const OPEN = "soundstage.open";
const WAIT = 400;
const MOST = 50;

/** The drafts, newest first; old ones beyond the most are dropped. */
export async function drafts(): Promise<Draft[]> {
  const all = (await entries<string, Draft>()).map(([, draft]) => draft);
  const known = all.filter((draft) => draft.version === 1);
  known.sort((one, other) => other.changed - one.changed);
  await delMany(known.slice(MOST).map(({ id }) => id));
  return known.slice(0, MOST);
}

/** Opens what was open in this browser tab before it was reloaded. */
export async function restore(): Promise<void> {
  const stored = sessionStorage.getItem(OPEN);
  if (!stored) return;
  const { ids, active } = JSON.parse(stored) as { ids: string[]; active: string | null };
  const found = new Map((await drafts()).map((draft) => [draft.id, draft]));
  const tabs = ids.flatMap((id): Tab[] => {
    const draft = found.get(id);
    if (!draft) return [];
    const { name, workflow } = draft;
    return [{ id, name, history: begin(workflow), ...AT_ROOT }];
  });
  useDocuments.setState({ tabs, active: tabs.some(({ id }) => id === active) ? active : null });
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
      const draft: Draft = { version: 1, id, name, workflow: history.present, changed: Date.now() };
      void set(id, draft);
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
