import { lazy, Suspense, useEffect, useState } from "react";
import { Canvas } from "../canvas/Canvas";
import { Dock } from "../panels/Dock";
import { Form } from "../panels/Form";
import { Palette } from "../panels/Palette";
import { useCatalog } from "../stores/catalog";
import { activeTab, isBlank, type Tab, tabNow, useDocuments } from "../stores/documents";
import { useRun } from "../stores/run";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { followAddress, shareForm } from "./address";
import { Breadcrumbs } from "./Breadcrumbs";
import { ContextMenu } from "./ContextMenu";
import { useClipboard } from "./clipboard";
import { onKey } from "./commands";
import { DropZone } from "./DropZone";
import { keep, restore } from "./drafts";
import { Help } from "./Help";
import { Lightbox } from "./Lightbox";
import { useLongTouch } from "./longTouch";
import { Notices } from "./Notices";
import { complain } from "./run";
import { StartPage } from "./StartPage";
import { Tips } from "./Tips";
import { TopBar } from "./TopBar";

const Timeline = lazy(() => import("../panels/Timeline"));

/** The whole page. */
export function App() {
  const ready = useStarted();
  const tab = useDocuments(activeTab);
  const theme = useUi((ui) => ui.theme);
  const form = useShownAsForm(tab);
  const palette = useUi((ui) => ui.palette);
  const timeline = useUi((ui) => ui.timeline);
  useRecalled(ready, tab);
  useClipboard();
  useLongTouch();
  useEffect(() => {
    document.title = tab ? `${tab.name} · ${t.product}` : t.product;
  }, [tab]);
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  useEffect(() => {
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
  return (
    <DropZone>
      <TopBar />
      <main className="main">
        {!ready ? (
          <p className="waiting">{t.waiting}</p>
        ) : tab && form ? (
          <Form key={tab.id} tab={tab} share={(one) => void shareForm(one)} />
        ) : tab ? (
          <section className="stage" aria-label={t.canvas.label}>
            <h1 className="unseen">{tab.name}</h1>
            <Breadcrumbs tab={tab} />
            <Canvas tab={tab} />
            {timeline && (
              <Suspense fallback={null}>
                <Timeline tab={tab} />
              </Suspense>
            )}
          </section>
        ) : (
          <StartPage />
        )}
        {ready && <Dock tab={tab} />}
        <ContextMenu />
      </main>
      {palette && tab && <Palette palette={palette} />}
      <Lightbox />
      <Help />
      <Notices />
      <Tips />
    </DropZone>
  );
}

/** Shows what the last run of the open workflow made, where this page did not hear it. */
function useRecalled(ready: boolean, tab: Tab | undefined): void {
  const connected = useRun((run) => run.connected);
  const shown = useRun((run) => (tab ? run.latest[tab.id] : undefined));
  const id = tab?.id;
  useEffect(() => {
    if (!ready || !connected || id === undefined || shown !== undefined) return;
    const recall = async (): Promise<void> => {
      const { refresh, recall } = useRun.getState();
      // What runs or waits is shown first.
      await refresh();
      const now = tabNow();
      if (now?.id === id) await recall(now.history.present);
    };
    // Without it the workflow is of use all the same.
    recall().catch(() => undefined);
  }, [ready, connected, id, shown]);
}

/** Whether the open workflow is shown as a form. One without nodes asks for nothing: it is shown as
 * the graph that it will be, whatever was looked at before. */
function useShownAsForm(tab: Tab | undefined): boolean {
  const form = useUi((ui) => ui.form);
  const blank = tab !== undefined && isBlank(tab);
  useEffect(() => {
    if (form && blank) useUi.getState().set({ form: false });
  }, [form, blank]);
  return form && !blank;
}

/** Reads the catalog, opens what was open, and listens to the service; whether that is done. */
function useStarted(): boolean {
  const [ready, setReady] = useState(false);
  const connected = useRun((run) => run.connected);
  useEffect(() => useRun.getState().connect(), []);
  useEffect(() => {
    let stop: (() => void) | undefined;
    let over = false;
    void restore()
      .catch(() => undefined)
      .then(() => {
        if (!over) stop = keep();
      });
    return () => {
      over = true;
      stop?.();
    };
  }, []);
  useEffect(() => {
    if (!connected) return;
    useCatalog
      .getState()
      .load()
      .then(() => setReady(true))
      .catch((error) => complain(error));
  }, [connected]);
  useEffect(() => {
    if (!ready) return;
    const following = followAddress();
    return () => void following.then((stop) => stop());
  }, [ready]);
  return ready;
}
