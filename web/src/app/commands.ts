/** Everything that can be done, once: by its keys, from menus, and in the list of help. */

import {
  arrange,
  duplicate,
  group,
  removeSelected,
  selectAll,
  selectedNodes,
  toggleCollapsed,
  toggleMode,
} from "../canvas/actions";
import { ROOT } from "../graph/model";
import { tabNow, useDocuments } from "../stores/documents";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { newWorkflow, pickFiles, save } from "./files";
import { run, stop } from "./run";

export interface Command {
  label: string;
  /** "Mod" is Ctrl, or Cmd on a Mac. */
  keys: readonly string[];
  group: keyof typeof t.commandGroups;
  run(): void;
}

const ui = () => useUi.getState();
const documents = () => useDocuments.getState();

function search(): void {
  const view = ui().view;
  if (view) ui().search({ at: view.screenMiddle(), place: view.middle() });
}

function leave(): void {
  if (ui().palette) ui().search(null);
  else if (tabNow()?.selection.size) documents().select([]);
  else if (tabNow()?.sheet !== ROOT) documents().enter(ROOT);
}

const fit = (): void => ui().view?.fit(selectedNodes().length > 0 ? selectedNodes() : undefined);
const sizes = () => ui().view?.sizes() ?? new Map();

const c = t.commands;

export const COMMANDS: readonly Command[] = [
  { group: "run", label: c.run, keys: ["Mod+Enter"], run: () => void run() },
  { group: "run", label: c.runFirst, keys: ["Mod+Shift+Enter"], run: () => void run(true) },
  { group: "run", label: c.stop, keys: ["Mod+Alt+Enter"], run: () => void stop() },
  { group: "edit", label: c.add, keys: ["A", "/", "Mod+K"], run: search },
  { group: "edit", label: c.undo, keys: ["Mod+Z"], run: () => documents().undo() },
  { group: "edit", label: c.redo, keys: ["Mod+Shift+Z", "Mod+Y"], run: () => documents().redo() },
  { group: "edit", label: c.duplicate, keys: ["Mod+D"], run: duplicate },
  { group: "edit", label: c.remove, keys: ["Delete", "Backspace"], run: removeSelected },
  { group: "edit", label: c.selectAll, keys: ["Mod+A"], run: selectAll },
  { group: "edit", label: c.mute, keys: ["Mod+M"], run: () => toggleMode("muted") },
  { group: "edit", label: c.bypass, keys: ["Mod+B"], run: () => toggleMode("bypassed") },
  { group: "edit", label: c.collapse, keys: ["Alt+C"], run: toggleCollapsed },
  { group: "edit", label: c.group, keys: ["Mod+G"], run: () => group(sizes()) },
  { group: "edit", label: c.arrange, keys: ["Alt+L"], run: () => arrange(sizes()) },
  { group: "view", label: c.fit, keys: ["."], run: fit },
  { group: "view", label: c.zoomIn, keys: ["+", "="], run: () => ui().view?.zoom(1.25) },
  { group: "view", label: c.zoomOut, keys: ["-"], run: () => ui().view?.zoom(0.8) },
  { group: "view", label: c.outline, keys: ["O"], run: () => ui().toggle("outline") },
  { group: "view", label: c.problems, keys: ["P"], run: () => ui().toggle("problems") },
  { group: "view", label: c.queue, keys: ["Q"], run: () => ui().toggle("queue") },
  { group: "view", label: c.results, keys: ["R"], run: () => ui().toggle("results") },
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
  const writing = (event.target as HTMLElement).closest(WRITING) !== null;
  if (event.defaultPrevented || (writing && !ALWAYS.has(keys))) return;
  const command = COMMANDS.find((one) => one.keys.includes(keys));
  if (!command) return;
  event.preventDefault();
  command.run();
}
