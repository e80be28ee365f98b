import {
  ChartGantt,
  CircleHelp,
  Ellipsis,
  History,
  Images,
  LayoutList,
  ListTree,
  ListVideo,
  Monitor,
  Moon,
  Play,
  Redo2,
  Sun,
  TriangleAlert,
  Undo2,
  Workflow,
} from "lucide-react";
import { useRef, useState } from "react";
import { StopButton } from "../panels/StopButton";
import { isOver } from "../run/progress";
import { activeTab, type Tab, useDocuments } from "../stores/documents";
import { useLatestJob, useRun } from "../stores/run";
import { type Panel, type Theme, useUi } from "../stores/ui";
import { t } from "../strings";
import { IconButton } from "../widgets/IconButton";
import { Popover } from "../widgets/Popover";
import { shareForm } from "./address";
import { download, pickFiles, save } from "./files";
import { run } from "./run";
import { Tabs } from "./Tabs";

/** What stands above everything: the open workflows, the panels, and Run. */
export function TopBar() {
  const tab = useDocuments(activeTab);
  const form = useUi((ui) => ui.form);
  return (
    <header className="top">
      <Tabs />
      {tab && <Edits tab={tab} />}
      {tab && <FormToggle />}
      <Connection />
      <Panels shown={tab !== undefined} />
      {tab && !form && <RunButton tab={tab} />}
    </header>
  );
}

function Edits({ tab }: { tab: Tab }) {
  const { undo, redo } = useDocuments.getState();
  const { past, future, label } = tab.history;
  const [menu, setMenu] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const choose = (action: () => void) => () => {
    setMenu(false);
    action();
  };
  return (
    <div className="bar-group">
      <button
        type="button"
        className="icon-button"
        disabled={past.length === 0}
        aria-label={t.commands.undo}
        title={t.undo(label)}
        onClick={undo}
      >
        <Undo2 size={16} />
      </button>
      <button
        type="button"
        className="icon-button"
        disabled={future.length === 0}
        aria-label={t.commands.redo}
        title={t.redo(future[0]?.label ?? "")}
        onClick={redo}
      >
        <Redo2 size={16} />
      </button>
      <button
        ref={button}
        type="button"
        className="icon-button"
        aria-label={t.menu.label}
        title={t.menu.label}
        aria-expanded={menu}
        onClick={() => setMenu(!menu)}
      >
        <Ellipsis size={16} />
      </button>
      {menu && (
        <Popover anchor={button.current} close={() => setMenu(false)}>
          <div className="menu">
            <button type="button" onClick={choose(() => void save())}>
              {t.commands.save}
            </button>
            <button type="button" onClick={choose(pickFiles)}>
              {t.commands.open}
            </button>
            <hr />
            <button type="button" onClick={choose(() => void download(tab, "editor"))}>
              {t.menu.download}
            </button>
            <button type="button" onClick={choose(() => void download(tab, "api"))}>
              {t.menu.downloadApi}
            </button>
            <button type="button" onClick={choose(() => void shareForm(tab))}>
              {t.form.link}
            </button>
          </div>
        </Popover>
      )}
    </div>
  );
}

function FormToggle() {
  const { form, set } = useUi();
  const label = form ? t.form.graph : t.form.show;
  return (
    <IconButton label={label} pressed={form} act={() => set({ form: !form })}>
      {form ? <Workflow size={16} /> : <LayoutList size={16} />}
    </IconButton>
  );
}

function Connection() {
  const connected = useRun((run) => run.connected);
  const known = useRun((run) => run.known);
  if (connected) return null;
  return (
    <span className="connection" role="status">
      {known ? t.connection.lost : t.connection.wait}
    </span>
  );
}

/** Some tell of all workflows: they are there without one, and on a narrow screen. */
const PANELS: { panel: Panel; icon: typeof ListTree; anywhere?: boolean }[] = [
  { panel: "outline", icon: ListTree },
  { panel: "problems", icon: TriangleAlert },
  { panel: "queue", icon: ListVideo, anywhere: true },
  { panel: "results", icon: Images, anywhere: true },
  { panel: "versions", icon: History },
];
const THEMES: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
const THEME_ICONS = { system: Monitor, light: Sun, dark: Moon };

function TimelineToggle() {
  const shown = useUi((ui) => ui.timeline !== null);
  const label = t.commands.timeline;
  return (
    <IconButton
      label={label}
      pressed={shown}
      act={() => useUi.getState().set({ timeline: shown ? null : "latest" })}
    >
      <ChartGantt size={16} />
    </IconButton>
  );
}

function Panels({ shown }: { shown: boolean }) {
  const { panel, toggle, theme, set, help, form } = useUi();
  const remaining = useRun((state) => state.remaining);
  const ThemeIcon = THEME_ICONS[theme];
  return (
    <div className="bar-group">
      {PANELS.filter(({ anywhere }) => shown || anywhere).map(
        ({ panel: one, icon: Icon, anywhere }) => (
          <button
            key={one}
            type="button"
            className={anywhere ? "icon-button" : "icon-button bar-wide"}
            aria-pressed={panel === one}
            aria-label={one === "queue" ? t.queue.button(remaining) : t.panels[one]}
            title={t.panels[one]}
            onClick={() => toggle(one)}
          >
            <Icon size={16} />
            {one === "queue" && remaining > 0 && <span className="count">{remaining}</span>}
          </button>
        ),
      )}
      {shown && !form && <TimelineToggle />}
      <button
        type="button"
        className="icon-button bar-wide"
        aria-label={t.theme[theme]}
        title={t.theme[theme]}
        onClick={() => set({ theme: THEMES[theme] })}
      >
        <ThemeIcon size={16} />
      </button>
      <button
        type="button"
        className="icon-button bar-wide"
        aria-pressed={help}
        aria-label={t.commands.help}
        title={t.commands.help}
        onClick={() => set({ help: true })}
      >
        <CircleHelp size={16} />
      </button>
    </div>
  );
}

function RunButton({ tab }: { tab: Tab }) {
  const job = useLatestJob(tab.id);
  const busy = job !== undefined && !isOver(job);
  return (
    <div className="bar-group">
      {busy && <StopButton tab={tab} />}
      <button
        type="button"
        className="run"
        title={t.run.hint}
        onClick={(event) => void run(event.shiftKey)}
      >
        <Play size={14} /> {t.commands.run}
      </button>
    </div>
  );
}
