/** The page's address: it opens workflows, and names the one that is looked at, so that it can be
 * handed to others and asked for again. "#template=hello", "#saved=mine&as=form". */

import { Unusable } from "../graph/places";
import { fetchSaved } from "../server/service";
import { activeTab, isDirty, type Tab, useDocuments } from "../stores/documents";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { openSaved, openTemplate, store, tell } from "./files";

const OWN_PACK = "soundstage";

/** Opens what the address asks for, now and whenever a link changes it; from then on the address
 * says what is open. */
export async function followAddress(): Promise<() => void> {
  await openAddressed();
  const opened = (): void => void openAddressed();
  const stops = [useDocuments.subscribe(mirror), useUi.subscribe(mirror)];
  window.addEventListener("hashchange", opened);
  mirror();
  return () => {
    window.removeEventListener("hashchange", opened);
    for (const stop of stops) stop();
  };
}

async function openAddressed(): Promise<void> {
  const asked = new URLSearchParams(window.location.hash.slice(1));
  const [template, saved, as] = ["template", "saved", "as"].map((name) => asked.get(name));
  if (!template && !saved) return;
  window.history.replaceState(null, "", window.location.pathname);
  if (as) useUi.getState().set({ form: as === "form" });
  if (template) await openTemplate(OWN_PACK, template);
  if (saved) await openSaved(`${saved}.json`);
}

function mirror(): void {
  const tab = activeTab(useDocuments.getState());
  const url = new URL(window.location.href);
  url.hash = tab?.saved === undefined ? "" : hashOf(tab, useUi.getState().form);
  if (url.href !== window.location.href) window.history.replaceState(null, "", url);
}

const hashOf = (tab: Tab, form: boolean): string =>
  new URLSearchParams({ saved: tab.name, ...(form ? { as: "form" } : {}) }).toString();

/** Hands out a link to a workflow's form, saved as it is now. */
export function shareForm(tab: Tab): Promise<void> {
  return tell(async () => {
    if (tab.saved === undefined && (await fetchSaved()).includes(`${tab.name}.json`)) {
      throw new Unusable(t.form.taken(tab.name));
    }
    if (isDirty(tab)) await store(tab);
    const url = new URL(window.location.href);
    url.hash = hashOf(tab, true);
    await handOut(tab.name, url.href);
  });
}

/** By the device's own ways where it has them, else by the clipboard; a page that came without
 * encryption from another machine has neither. */
async function handOut(title: string, url: string): Promise<void> {
  const { say } = useUi.getState();
  if (navigator.share !== undefined && matchMedia("(pointer: coarse)").matches) {
    await navigator.share({ title, url }).catch(ignoreAbort);
  } else if (navigator.clipboard === undefined) {
    useUi.getState().set({ form: true });
    say(t.form.inAddress);
  } else {
    await navigator.clipboard.writeText(url);
    say(t.form.copied);
  }
}

/** A person who closes the list of ways to share wants nothing more. */
export function ignoreAbort(error: unknown): void {
  if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
}
