import { type DragEvent, type ReactNode, useState } from "react";
import { t } from "../strings";
import { giveTo, openFiles } from "./files";

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
        const files = [...event.dataTransfer.files];
        const node = (event.target as HTMLElement).closest<HTMLElement>(".react-flow__node");
        if (!files[0] || !giveTo(node?.dataset.id, files[0])) void openFiles(files);
      }}
    >
      {children}
      {over && <div className="drop-hint">{t.dropHint}</div>}
    </div>
  );
}
