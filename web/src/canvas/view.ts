/** What menus and shortcuts need of the canvas: where it looks, and how large things are. */

import { useReactFlow, useStoreApi } from "@xyflow/react";
import { useEffect } from "react";
import type { Size } from "../graph/layout";
import type { Tab } from "../stores/documents";
import { useUi, type View } from "../stores/ui";

const STILL = "(prefers-reduced-motion: reduce)";

export function useView(tab: Tab): void {
  const flow = useReactFlow();
  const store = useStoreApi();
  const key = `${tab.id}/${tab.sheet}`;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new sheet is looked at anew
  useEffect(() => {
    const duration = () => (window.matchMedia(STILL).matches ? 0 : 200);
    const options = { padding: 0.12, maxZoom: 1 };
    const screenMiddle = () => {
      const box = store.getState().domNode?.getBoundingClientRect();
      return box ? { x: box.x + box.width / 2, y: box.y + box.height / 2 } : { x: 0, y: 0 };
    };
    const view: View = {
      fit(ids) {
        const nodes = ids?.map((id) => ({ id }));
        void flow.fitView({ ...options, nodes, duration: duration() });
      },
      zoom: (factor) => void flow.zoomTo(flow.getZoom() * factor, { duration: duration() }),
      middle: () => flow.screenToFlowPosition(screenMiddle()),
      screenMiddle,
      sizes() {
        const found = new Map<string, Size>();
        for (const { id, measured } of flow.getNodes()) {
          if (measured?.width && measured.height) {
            found.set(id, { width: measured.width, height: measured.height });
          }
        }
        return found;
      },
    };
    useUi.setState({ view });
    void flow.fitView(options);
    return () => useUi.setState({ view: null });
  }, [key]);
}
