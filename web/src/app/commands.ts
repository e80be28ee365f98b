/** Everything that can be done, once: by its keys, from menus, and in the list of help. */

import {
  alignSelected,
  arrange,
  copySelected,
  duplicate,
  foldSelected,
  group,
  removeSelected,
  selectAll,
  selectedNodes,
  toggleCollapsed,
  toggleMode,
  unfoldSelected,
} from "../canvas/actions";
import { sheetOf } from "../graph/model";
import { tabNow, useDocuments } from "../stores/documents";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { newWorkflow, pickFiles, save } from "./files";
import { run, stop } from "./run";

/** Something that can be done, and how to ask for it. */
export interface Command {
  label: string;
  /** "Mod" is Ctrl, or Cmd on a Mac. */
  keys: readonly string[];
  group: keyof typeof t.commandGroups;
  /** The menus it stands in. */
  menu?: "node" | "pane" | "both";
  /** Whether a menu shows it now. */
  fits?(): boolean;
  run(): void;
}

const ui = () => useUi.getState();
const documents = () => useDocuments.getState();

function search(): void {
  const view = ui().view;
  if (view) ui().search({ at: view.screenMiddle() });
}

function leave(): void {
  if (ui().palette) ui().search(null);
  else if (tabNow()?.selection.size) documents().select([]);
  else documents().leave((tabNow()?.path.length ?? 0) - 1);
}

const toggleTimeline = (): void => ui().set({ timeline: ui().timeline ? null : "latest" });
const fit = (): void => ui().view?.fit(selectedNodes().length > 0 ? selectedNodes() : undefined);
const sizes = () => ui().view?.sizes() ?? new Map();

function hasSubgraph(): boolean {
  const tab = tabNow();
  if (!tab) return false;
  const { nodes } = sheetOf(tab.history.present, tab.sheet);
  return selectedNodes().some((id) => tab.history.present.subgraphs[nodes[id]?.type ?? ""]);
}

const c = t.commands;

/** All of them, in the order of the list of help. */
export const COMMANDS: readonly Command[] = [
  { group: "run", label: c.run, keys: ["Mod+Enter"], run: () => void run() },
  { group: "run", label: c.runFirst, keys: ["Mod+Shift+Enter"], run: () => void run(true) },
  { group: "run", label: c.stop, keys: ["Mod+Alt+Enter"], run: () => void stop() },
  { group: "edit", label: c.add, menu: "pane", keys: ["A", "/", "Mod+K"], run: search },
  { group: "edit", label: c.undo, menu: "pane", keys: ["Mod+Z"], run: () => documents().undo() },
  {
    group: "edit",
    label: c.redo,
    menu: "pane",
    keys: ["Mod+Shift+Z", "Mod+Y"],
    run: () => documents().redo(),
  },
  { group: "edit", label: c.copy, menu: "node", keys: [], run: () => void copySelected() },
  { group: "edit", label: c.duplicate, menu: "node", keys: ["Mod+D"], run: duplicate },
  {
    group: "edit",
    label: c.remove,
    menu: "node",
    keys: ["Delete", "Backspace"],
    run: removeSelected,
  },
  { group: "edit", label: c.selectAll, menu: "pane", keys: ["Mod+A"], run: selectAll },
  { group: "edit", label: c.mute, menu: "node", keys: ["Mod+M"], run: () => toggleMode("muted") },
  {
    group: "edit",
    label: c.bypass,
    menu: "node",
    keys: ["Mod+B"],
    run: () => toggleMode("bypassed"),
  },
  { group: "edit", label: c.collapse, menu: "node", keys: ["Alt+C"], run: toggleCollapsed },
  { group: "edit", label: c.group, menu: "node", keys: ["Mod+G"], run: () => group(sizes()) },
  { group: "edit", label: c.arrange, menu: "both", keys: ["Alt+L"], run: () => arrange(sizes()) },
  { group: "edit", label: c.fold, menu: "node", keys: ["Mod+Shift+E"], run: foldSelected },
  {
    group: "edit",
    label: c.unfold,
    menu: "node",
    keys: ["Mod+Shift+U"],
    fits: hasSubgraph,
    run: unfoldSelected,
  },
  { group: "edit", label: c.alignLeft, keys: ["Alt+1"], run: () => alignSelected("left", sizes()) },
  { group: "edit", label: c.alignTop, keys: ["Alt+2"], run: () => alignSelected("top", sizes()) },
  {
    group: "edit",
    label: c.columns,
    keys: ["Alt+3"],
    run: () => alignSelected("columns", sizes()),
  },
  { group: "edit", label: c.rows, keys: ["Alt+4"], run: () => alignSelected("rows", sizes()) },
  { group: "view", label: c.fit, menu: "both", keys: ["."], run: fit },
  { group: "view", label: c.zoomIn, keys: ["+", "="], run: () => ui().view?.zoom(1.25) },
  { group: "view", label: c.zoomOut, keys: ["-"], run: () => ui().view?.zoom(0.8) },
  { group: "view", label: c.outline, keys: ["O"], run: () => ui().toggle("outline", true) },
  { group: "view", label: c.problems, keys: ["P"], run: () => ui().toggle("problems", true) },
  { group: "view", label: c.queue, keys: ["Q"], run: () => ui().toggle("queue", true) },
  { group: "view", label: c.results, keys: ["R"], run: () => ui().toggle("results", true) },
  { group: "view", label: c.versions, keys: ["V"], run: () => ui().toggle("versions", true) },
  { group: "view", label: c.timeline, keys: ["T"], run: toggleTimeline },
  { group: "view", label: c.leave, keys: ["Escape"], run: leave },
  { group: "view", label: c.help, keys: ["?"], run: () => ui().set({ help: !ui().help }) },
  { group: "file", label: c.new, keys: ["Alt+N"], run: newWorkflow },
  { group: "file", label: c.open, keys: ["Mod+O"], run: pickFiles },
  { group: "file", label: c.save, keys: ["Mod+S"], run: () => void save() },
];

/** The keys of an event as commands name them. */
export function keysOf(event: KeyboardEvent): string {
  const key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
  const shifted = event.shiftKey && (event.key.length > 1 || /[A-Z]/.test(key));
  const marks = [
    (event.ctrlKey || event.metaKey) && "Mod",
    event.altKey && "Alt",
    shifted && "Shift",
  ];
  return [...marks.filter(Boolean), key].join("+");
}

const WRITING = "input, textarea, select, [contenteditable], [role='listbox'], dialog";
const ALWAYS = new Set(["Mod+Enter", "Mod+Shift+Enter", "Mod+Alt+Enter", "Mod+S", "Mod+O"]);

/** Runs the command that an event's keys stand for; typing stays typing. */
export function onKey(event: KeyboardEvent): void {
  const keys = keysOf(event);
  const writing =
    (event.target as HTMLElement).closest(WRITING) !== null ||
    document.querySelector("dialog:modal") !== null;
  if (event.defaultPrevented || (writing && !ALWAYS.has(keys))) return;
  const command = COMMANDS.find((one) => one.keys.includes(keys));
  if (!command) return;
  event.preventDefault();
  command.run();
}
