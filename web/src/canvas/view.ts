/** What menus and shortcuts need of the canvas: where it looks, and how large things are. */

import { getViewportForBounds, useReactFlow, useStoreApi, type Viewport } from "@xyflow/react";
import { useEffect } from "react";
import type { Catalog } from "../graph/kinds";
import { estimated, type Size } from "../graph/layout";
import type { Sheet, Workflow } from "../graph/model";
import type { Tab } from "../stores/documents";
import { useUi, type View } from "../stores/ui";
import { boundsOf } from "./placing";

/** Where to look at first, before anything is drawn: large graphs begin far away, as boxes. */
export function firstView(workflow: Workflow, sheet: Sheet, catalog: Catalog): Viewport {
  const boxes = Object.values(sheet.nodes).map((node) => ({
    x: node.x,
    y: node.y,
    ...estimated(workflow, node, catalog),
  }));
  if (boxes.length === 0) return { x: 0, y: 0, zoom: 1 };
  const { innerWidth: width, innerHeight: height } = window;
  return getViewportForBounds(boundsOf(boxes), width, height - BAR, MIN_ZOOM, 1, PADDING);
}

/** The whole of a sheet with thousands of nodes is seen from here. */
export const MIN_ZOOM = 0.05;
const PADDING = 0.12;
const BAR = 44;
const STILL = "(prefers-reduced-motion: reduce)";

/** Offers the canvas to menus and shortcuts, and looks at the whole of each sheet first. */
export function useView(tab: Tab): void {
  const flow = useReactFlow();
  const store = useStoreApi();
  const key = `${tab.id}/${tab.sheet}`;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new sheet is looked at anew
  useEffect(() => {
    const duration = () => (window.matchMedia(STILL).matches ? 0 : 200);
    const options = { padding: PADDING, maxZoom: 1 };
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
      reveal(box) {
        const { transform, width, height } = store.getState();
        const [left, top, zoom] = transform;
        const [x, y] = [box.x * zoom + left, box.y * zoom + top];
        const [right, bottom] = [x + box.width * zoom, y + box.height * zoom];
        if (x >= 0 && y >= 0 && right <= width && bottom <= height) return;
        if (right - x > width || bottom - y > height) {
          void flow.fitBounds(box, { padding: PADDING, duration: duration() });
          return;
        }
        const [middleX, middleY] = [box.x + box.width / 2, box.y + box.height / 2];
        void flow.setCenter(middleX, middleY, { zoom, duration: duration() });
      },
      at: (point) => flow.screenToFlowPosition(point),
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
    // Of an empty sheet it would wait for the first node, and move what was just put in its place.
    if (flow.getNodes().length > 0) void flow.fitView(options);
    return () => useUi.setState({ view: null });
  }, [key]);
}
