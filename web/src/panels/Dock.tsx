import { X } from "lucide-react";
import { lazy, Suspense } from "react";
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
  if (!panel || (!tab && !ANYWHERE.has(panel))) return null;
  return (
    <aside className="dock" aria-label={t.panels[panel]}>
      <header className="dock-header">
        <h2>{t.panels[panel]}</h2>
        <IconButton label={t.close} act={() => show(null)}>
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
