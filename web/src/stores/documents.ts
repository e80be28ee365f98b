/** The open workflows, each with its history; all changes to a document go through `edit`. */

import { create } from "zustand";
import { begin, commit, type History, redo, settle, undo } from "../graph/history";
import { remembering, withLastNode } from "../graph/ids";
import { onSheet, ROOT, type Sheet, sheetOf, type Workflow } from "../graph/model";

/** An open workflow. */
export interface Tab {
  /** The workflow's id. */
  id: string;
  name: string;
  history: History<Workflow>;
  /** The sheet that is looked at. */
  sheet: string;
  /** The way there: each node that was entered, and the sheet inside of it. */
  path: readonly { host: string; sheet: string }[];
  selection: ReadonlySet<string>;
  /** The workflow as it was last saved under its name; undefined: never. */
  saved?: Workflow;
}

interface Documents {
  tabs: readonly Tab[];
  active: string | null;
  /** `history`: what led to it, where that is known. */
  open(
    workflow: Workflow,
    name: string,
    more?: { saved?: boolean; history?: History<Workflow> | undefined },
  ): void;
  close(id: string): void;
  activate(id: string | null): void;
  rename(id: string, name: string): void;
  markSaved(id: string): void;
  /** A step of history. Edits in a row with equal `merge` are one step. */
  edit(label: string, change: (workflow: Workflow) => Workflow, merge?: string): void;
  /** The same on the sheet that is looked at. */
  editSheet(label: string, change: (sheet: Sheet) => Sheet, merge?: string): void;
  /** A change that is no step: undo does not stop at it. */
  amend(id: string, change: (workflow: Workflow) => Workflow): void;
  settle(): void;
  undo(): void;
  redo(): void;
  select(ids: Iterable<string>): void;
  /** Looks into a node of the sheet that is looked at. */
  enter(host: string, sheet: string): void;
  /** Goes back out until so many entered nodes are left. */
  leave(depth: number): void;
}

const NOTHING: ReadonlySet<string> = new Set();

/** A tab that looks at the whole of its workflow. */
export const AT_ROOT: Pick<Tab, "sheet" | "path" | "selection"> = {
  sheet: ROOT,
  path: [],
  selection: NOTHING,
};

/** All that is open, and what is done to it. */
export const useDocuments = create<Documents>()((set, get) => {
  const update = (id: string | null, change: (tab: Tab) => Tab): void =>
    set(({ tabs }) => ({ tabs: tabs.map((tab) => (tab.id === id ? change(tab) : tab)) }));
  const updateActive = (change: (tab: Tab) => Tab): void => update(get().active, change);
  const travel = (move: (history: History<Workflow>) => History<Workflow>): void =>
    updateActive((tab) => {
      const history = move(tab.history);
      const present = remembering(tab.history.present, history.present);
      return reselected({ ...tab, history: { ...history, present } });
    });
  return {
    tabs: [],
    active: null,
    open(workflow, name, more = {}) {
      if (get().tabs.some((tab) => tab.id === workflow.id)) {
        set({ active: workflow.id });
        if (more.saved) update(workflow.id, (tab) => ({ ...tab, saved: tab.saved ?? workflow }));
        return;
      }
      const history = more.history ?? begin(withLastNode(workflow));
      const saved = more.saved ? workflow : undefined;
      const tab: Tab = { id: workflow.id, name, history, ...AT_ROOT, saved };
      set(({ tabs }) => ({ tabs: [...tabs, tab], active: tab.id }));
    },
    close(id) {
      const { tabs, active } = get();
      const at = tabs.findIndex((tab) => tab.id === id);
      const left = tabs.filter((tab) => tab.id !== id);
      const next = left[Math.min(at, left.length - 1)]?.id ?? null;
      set({ tabs: left, active: active === id ? next : active });
    },
    activate: (active) => set({ active }),
    rename: (id, name) =>
      update(id, (tab) => (tab.name === name ? tab : { ...tab, name, saved: undefined })),
    markSaved: (id) => update(id, (tab) => ({ ...tab, saved: tab.history.present })),
    edit(label, change, merge) {
      updateActive((tab) => {
        const { present } = tab.history;
        const next = remembering(present, change(present));
        const history = commit(tab.history, next, label, merge ?? null);
        return history === tab.history ? tab : reselected({ ...tab, history });
      });
    },
    editSheet(label, change, merge) {
      const tab = activeTab(get());
      if (tab) get().edit(label, (workflow) => onSheet(workflow, tab.sheet, change), merge);
    },
    amend(id, change) {
      update(id, (tab) => ({
        ...tab,
        history: { ...tab.history, present: change(tab.history.present) },
      }));
    },
    settle: () => updateActive((tab) => ({ ...tab, history: settle(tab.history) })),
    undo: () => travel(undo),
    redo: () => travel(redo),
    select(ids) {
      updateActive((tab) => {
        const selection = new Set(ids);
        const same =
          selection.size === tab.selection.size &&
          [...selection].every((id) => tab.selection.has(id));
        return same ? tab : { ...tab, selection };
      });
    },
    enter: (host, sheet) => updateActive((tab) => at(tab, [...tab.path, { host, sheet }])),
    leave: (depth) => updateActive((tab) => at(tab, tab.path.slice(0, depth))),
  };
});

function at(tab: Tab, path: Tab["path"]): Tab {
  return { ...tab, path, sheet: path.at(-1)?.sheet ?? ROOT, selection: NOTHING };
}

/** Before the ids of a tab's nodes in its prompt: "12:7:" in node 7 of node 12. */
export const prefixOf = (tab: Tab): string => tab.path.map(({ host }) => `${host}:`).join("");

/** What is gone is selected no more, and no sheet that is gone is looked at. */
function reselected(tab: Tab): Tab {
  const workflow = tab.history.present;
  let sheet = ROOT;
  for (const [depth, step] of tab.path.entries()) {
    if (sheetOf(workflow, sheet).nodes[step.host]?.type !== step.sheet) {
      return at(tab, tab.path.slice(0, depth));
    }
    sheet = step.sheet;
  }
  const { nodes, links, groups } = sheetOf(workflow, sheet);
  const left = [...tab.selection].filter((id) => {
    const [kind, key = ""] = id.split(":");
    return kind === "link" ? key in links : kind === "group" ? key in groups : id in nodes;
  });
  const selection = left.length === tab.selection.size ? tab.selection : new Set(left);
  return { ...tab, selection };
}

/** The tab that is looked at; undefined: the start page is. */
export const activeTab = (state: Documents): Tab | undefined =>
  state.tabs.find((tab) => tab.id === state.active);

/** Whether a tab has what was not saved under its name. */
export const isDirty = ({ saved, history: { present } }: Tab): boolean =>
  present.root !== saved?.root ||
  present.subgraphs !== saved.subgraphs ||
  present.kept !== saved.kept;

/** Whether there is no node in a tab's workflow. */
export function isBlank(tab: Tab): boolean {
  for (const _ in tab.history.present.root.nodes) return false;
  return true;
}

/** The active tab as it is now, for handlers. */
export const tabNow = (): Tab | undefined => activeTab(useDocuments.getState());

/** Part of the active tab, for components; `otherwise` where none is open. */
export function useTab<T>(part: (tab: Tab) => T, otherwise: T): T {
  return useDocuments((state) => {
    const tab = activeTab(state);
    return tab ? part(tab) : otherwise;
  });
}
