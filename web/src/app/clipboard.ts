/** Copy, cut and paste of nodes, as text, so that they go from tab to tab and into mails. */

import { useEffect, useRef } from "react";
import { copied, paste, removeSelected } from "../canvas/actions";
import type { Point } from "../graph/model";
import { tabNow } from "../stores/documents";
import { useUi } from "../stores/ui";
import { giveTo, openFiles } from "./files";

const isWriting = (event: Event): boolean =>
  (event.target as HTMLElement).closest?.("input, textarea, [contenteditable]") !== null;

/** Copies, cuts and pastes nodes as long as the page is there; files that are pasted are
 * opened. */
export function useClipboard(): void {
  const pointer = useRef<Point | null>(null);
  useEffect(() => {
    const point = (event: PointerEvent): void => {
      const over = (event.target as HTMLElement).closest?.(".react-flow") !== null;
      pointer.current = over ? { x: event.clientX, y: event.clientY } : null;
    };
    const copy = (event: ClipboardEvent): void => {
      if (isWriting(event) || String(window.getSelection() ?? "")) return;
      const text = copied();
      if (text === null) return;
      event.clipboardData?.setData("text/plain", text);
      event.preventDefault();
      if (event.type === "cut") removeSelected();
    };
    const put = (event: ClipboardEvent): void => {
      if (event.defaultPrevented || isWriting(event)) return;
      const [file] = event.clipboardData?.files ?? [];
      const [selected, ...others] = [...(tabNow()?.selection ?? [])];
      const taken = file && others.length === 0 && giveTo(selected, file);
      if (file && !taken) void openFiles([file]);
      else if (!file && tabNow() && useUi.getState().view) {
        const text = event.clipboardData?.getData("text/plain") ?? "";
        if (!paste(text, pointer.current ? useUi.getState().view?.at(pointer.current) : undefined))
          return;
      }
      event.preventDefault();
    };
    document.addEventListener("pointermove", point, { passive: true });
    document.addEventListener("copy", copy);
    document.addEventListener("cut", copy);
    document.addEventListener("paste", put);
    return () => {
      document.removeEventListener("pointermove", point);
      document.removeEventListener("copy", copy);
      document.removeEventListener("cut", copy);
      document.removeEventListener("paste", put);
    };
  }, []);
}
