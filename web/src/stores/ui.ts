/** What is open on the screen, and what is said to the person in front of it. */

import { create } from "zustand";
import type { Loose } from "../graph/connect";
import type { Size } from "../graph/layout";
import type { Box, Point } from "../graph/model";
import type { File } from "../server/service";

/** What the canvas can do for menus and shortcuts. */
export interface View {
  fit(ids?: readonly string[]): void;
  zoom(factor: number): void;
  /** Brings a place of the sheet into view, where it is not. */
  reveal(box: Box): void;
  /** A point of the screen, on the sheet. */
  at(point: Point): Point;
  /** The middle of what is seen, on the sheet. */
  middle(): Point;
  /** The same on the screen. */
  screenMiddle(): Point;
  /** Of the nodes that were drawn. */
  sizes(): Map<string, Size>;
}

export type Panel = "outline" | "problems" | "queue" | "results" | "versions";
export type Theme = "system" | "light" | "dark";

/** The search for a node to add: where the node goes, and the link that waits for it. */
export interface Palette {
  /** On the screen. */
  at: Point;
  /** On the sheet; without one it goes to the next free place. */
  place?: Point;
  loose?: Loose;
  /** Where that link begins, on the sheet. */
  from?: Point | null;
}

/** Words that are shown for some seconds. */
export interface Notice {
  id: number;
  text: string;
  kind: "info" | "error";
  /** The workflow that it is of: it is seen there alone. */
  tab?: string | undefined;
  /** It goes when this is over. */
  cause?: Cause | undefined;
}

/** What lasts for a while: the service is away, or its queue is paused. */
export type Cause = "away" | "paused";

/** Results looked at in full, one of several at a time. */
export interface Lightbox {
  at: number;
  among: readonly File[];
  /** A picture that it is compared with. */
  beside?: File;
}

interface Ui {
  panel: Panel | null;
  /** The panel was opened by a key, which takes the focus there. */
  entered: boolean;
  palette: Palette | null;
  help: boolean;
  /** Workflows are shown as forms, not as graphs. */
  form: boolean;
  theme: Theme;
  notices: readonly Notice[];
  /** The menu of what was clicked with the other button, at a point of the screen. */
  menu: { at: Point; of: "node" | "pane" } | null;
  /** Read out by screen readers, not seen. */
  announcement: string;
  /** The canvas, while one is there. */
  view: View | null;
  lightbox: Lightbox | null;
  /** The run whose timeline is shown: a job's id, or "latest" for that of the open workflow. */
  timeline: string | null;
  show(panel: Panel | null): void;
  /** `enter`: the focus goes into it as it opens. */
  toggle(panel: Panel, enter?: boolean): void;
  search(palette: Palette | null): void;
  set(part: Partial<Pick<Ui, "help" | "form" | "theme" | "lightbox" | "menu" | "timeline">>): void;
  /** What informs goes by itself; an error stays until it is closed. */
  say(text: string, kind?: Notice["kind"], of?: Pick<Notice, "tab" | "cause">): void;
  /** What was said because of this goes: it is over. */
  settle(cause: Cause): void;
  dismiss(id: number): void;
  announce(text: string): void;
}

/** Graphs are of little use on a screen of fewer pixels. */
const NARROW = 700;
/** Whether this browser tab shows forms. */
const FORM = "soundstage.form";
const THEME = "soundstage.theme";
const INFO_MS = 4000;

function storedForm(): boolean {
  const stored = sessionStorage.getItem(FORM);
  return stored === null ? window.innerWidth < NARROW : stored === "true";
}

function storedTheme(): Theme {
  const stored = localStorage.getItem(THEME);
  return stored === "light" || stored === "dark" ? stored : "system";
}

/** What this browser tab shows. */
export const useUi = create<Ui>()((set, get) => ({
  panel: null,
  entered: false,
  palette: null,
  help: false,
  form: storedForm(),
  theme: storedTheme(),
  notices: [],
  menu: null,
  announcement: "",
  view: null,
  lightbox: null,
  timeline: null,
  show: (panel) => set({ panel, entered: false }),
  toggle: (panel, enter = false) =>
    set({ panel: get().panel === panel ? null : panel, entered: enter }),
  search: (palette) => set({ palette }),
  set(part) {
    if (part.theme) localStorage.setItem(THEME, part.theme);
    if (part.form !== undefined) sessionStorage.setItem(FORM, String(part.form));
    set(part);
  },
  say(text, kind = "info", of = {}) {
    const id = (get().notices.at(-1)?.id ?? 0) + 1;
    const others = get().notices.filter((notice) => notice.text !== text);
    set({ notices: [...others, { id, text, kind, ...of }].slice(-4), announcement: text });
    if (kind === "info") window.setTimeout(() => get().dismiss(id), INFO_MS);
  },
  settle(cause) {
    for (const notice of get().notices) if (notice.cause === cause) get().dismiss(notice.id);
  },
  dismiss(id) {
    const gone = get().notices.find((notice) => notice.id === id);
    const notices = get().notices.filter((notice) => notice !== gone);
    // Screen readers find no more than what is seen.
    set(get().announcement === gone?.text ? { notices, announcement: "" } : { notices });
  },
  announce: (announcement) => set({ announcement }),
}));
