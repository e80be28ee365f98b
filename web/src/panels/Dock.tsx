import { X } from "lucide-react";
import { type KeyboardEvent, lazy, Suspense, useCallback, useEffect, useRef } from "react";
import type { Tab } from "../stores/documents";
import { type Panel, useUi } from "../stores/ui";
import { t } from "../strings";
import { IconButton } from "../widgets/IconButton";
import { Outline } from "./Outline";
import { Problems } from "./Problems";
import { Queue } from "./Queue";
import { Results } from "./Results";

const Versions = lazy(() => import("./Versions"));
const ANYWHERE: ReadonlySet<Panel> = new Set(["queue", "results"]);

/** The panel beside the canvas, or beside the start page where no workflow is open. */
export function Dock({ tab }: { tab: Tab | undefined }) {
  const { panel, show } = useUi();
  const { dock, giveBack } = useEntered(panel);
  const close = (): void => {
    show(null);
    giveBack();
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || event.defaultPrevented || !giveBack()) return;
    event.preventDefault();
    event.stopPropagation();
  };
  if (!panel || (!tab && !ANYWHERE.has(panel))) return null;
  return (
    <aside ref={dock} className="dock" aria-label={t.panels[panel]} tabIndex={-1} onKeyDown={onKey}>
      <header className="dock-header">
        <h2>{t.panels[panel]}</h2>
        <IconButton label={t.close} act={close}>
          <X size={16} />
        </IconButton>
      </header>
      <div className="dock-body">
        {tab && panel === "outline" && <Outline tab={tab} />}
        {tab && panel === "problems" && <Problems tab={tab} />}
        {panel === "queue" && <Queue />}
        {panel === "results" && <Results />}
        {tab && panel === "versions" && (
          <Suspense fallback={null}>
            <Versions tab={tab} />
          </Suspense>
        )}
      </div>
    </aside>
  );
}

/** Takes the focus into a panel that a key opened: to its search, or to all of it. `giveBack`
 * returns it to where it was; false: it did not come by a key. */
function useEntered(panel: Panel | null) {
  const dock = useRef<HTMLElement>(null);
  const before = useRef<Element | null>(null);
  useEffect(() => {
    before.current = null;
    if (!panel || !useUi.getState().entered) return;
    before.current = document.activeElement;
    const search = dock.current?.querySelector<HTMLElement>(".outline-search input");
    (search ?? dock.current)?.focus();
  }, [panel]);
  const giveBack = useCallback((): boolean => {
    const to = before.current;
    if (!to) return false;
    const there = to.isConnected && to !== document.body && !dock.current?.contains(to);
    const target = there ? to : document.querySelector(".canvas");
    if (target instanceof HTMLElement) target.focus();
    // Where that takes no focus, keys are heard by the page.
    const left = document.activeElement;
    if (left instanceof HTMLElement && dock.current?.contains(left)) left.blur();
    return true;
  }, []);
  return { dock, giveBack };
}
