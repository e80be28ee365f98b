import { House, Plus, X } from "lucide-react";
import { useLayoutEffect, useRef, useState } from "react";
import { isDirty, type Tab, useDocuments } from "../stores/documents";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { IconButton } from "../widgets/IconButton";
import { fileName, newWorkflow } from "./files";

/** The open workflows. However many there are, the one that is looked at is in sight, and so is the
 * button for one more. */
export function Tabs() {
  const { tabs, active, activate, close } = useDocuments();
  const row = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another tab, or more of them
  useLayoutEffect(() => {
    const show = (): void =>
      row.current
        ?.querySelector(".tab-active")
        ?.scrollIntoView({ block: "nearest", inline: "nearest" });
    show();
    // What stands beside the tabs comes and goes, and takes their room.
    const watch = new ResizeObserver(show);
    if (row.current) watch.observe(row.current);
    return () => watch.disconnect();
  }, [active, tabs.length]);
  return (
    <nav className="tabs" aria-label={t.tabs.label}>
      <div className="tabs-row" ref={row}>
        <button
          type="button"
          className={active === null ? "tab tab-active" : "tab"}
          aria-current={active === null ? "page" : undefined}
          aria-label={t.tabs.start}
          title={t.tabs.start}
          onClick={() => activate(null)}
        >
          <House size={16} />
        </button>
        {tabs.map((tab) => (
          <div key={tab.id} className={tab.id === active ? "tab tab-active" : "tab"}>
            <TabName tab={tab} active={tab.id === active} />
            <button
              type="button"
              className="tab-close"
              aria-label={t.tabs.close(tab.name)}
              onClick={() => {
                close(tab.id);
                useUi.getState().announce(t.said.closed(tab.name));
              }}
            >
              <X size={13} />
            </button>
          </div>
        ))}
      </div>
      <IconButton label={t.commands.new} act={newWorkflow}>
        <Plus size={16} />
      </IconButton>
    </nav>
  );
}

function TabName({ tab, active }: { tab: Tab; active: boolean }) {
  const { activate, rename } = useDocuments.getState();
  const [renaming, setRenaming] = useState(false);
  if (renaming) {
    return (
      <input
        // biome-ignore lint/a11y/noAutofocus: a person asked to type here
        autoFocus
        className="tab-rename"
        aria-label={t.tabs.name}
        defaultValue={tab.name}
        onFocus={(event) => event.target.select()}
        onBlur={(event) => {
          const name = fileName(event.target.value);
          if (name) rename(tab.id, name);
          setRenaming(false);
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter" || event.key === "Escape") event.currentTarget.blur();
        }}
      />
    );
  }
  return (
    <button
      type="button"
      className="tab-name"
      aria-current={active ? "page" : undefined}
      title={t.tabs.hint}
      onClick={() => activate(tab.id)}
      onDoubleClick={() => setRenaming(true)}
    >
      {tab.name}
      {tab.saved !== undefined && isDirty(tab) && (
        <span className="tab-dirty" title={t.tabs.dirty} />
      )}
    </button>
  );
}
