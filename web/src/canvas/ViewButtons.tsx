import { Panel, useStore } from "@xyflow/react";
import { Maximize, Minus, Plus } from "lucide-react";
import { useUi } from "../stores/ui";
import { t } from "../strings";

/** Nearer, further away, and everything. */
export function ViewButtons() {
  const zoom = useStore((state) => Math.round(state.transform[2] * 100));
  const view = useUi((state) => state.view);
  return (
    <Panel position="bottom-left" className="view-buttons">
      <button
        type="button"
        aria-label={t.view.out}
        title={t.view.out}
        onClick={() => view?.zoom(1 / 1.25)}
      >
        <Minus size={15} />
      </button>
      <span className="view-zoom">{zoom}%</span>
      <button
        type="button"
        aria-label={t.view.in}
        title={t.view.in}
        onClick={() => view?.zoom(1.25)}
      >
        <Plus size={15} />
      </button>
      <button type="button" aria-label={t.view.fit} title={t.view.fit} onClick={() => view?.fit()}>
        <Maximize size={15} />
      </button>
    </Panel>
  );
}
