import { type DragEvent, type ReactNode, useState } from "react";
import { t } from "../strings";
import { openFiles } from "./files";

const hasFiles = (event: DragEvent): boolean => event.dataTransfer.types.includes("Files");

/** The whole page: files dropped anywhere are opened. */
export function DropZone({ children }: { children: ReactNode }) {
  const [over, setOver] = useState(false);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: opening files has a button and keys too
    <div
      className="page"
      onDragEnter={(event) => hasFiles(event) && setOver(true)}
      onDragOver={(event) => {
        if (hasFiles(event)) event.preventDefault();
      }}
      onDragLeave={(event) => {
        if (event.relatedTarget === null) setOver(false);
      }}
      onDrop={(event) => {
        setOver(false);
        if (event.defaultPrevented || !hasFiles(event)) return;
        event.preventDefault();
        void openFiles([...event.dataTransfer.files]);
      }}
    >
      {children}
      {over && <div className="drop-hint">{t.dropHint}</div>}
    </div>
  );
}
