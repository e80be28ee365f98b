import {
  Copy,
  Download,
  FolderOpen,
  ImageUp,
  SquareSplitHorizontal,
  Trash2,
  X,
} from "lucide-react";
import { openPiece } from "../app/files";
import { kindOf, type Piece } from "../server/gallery";
import { type File, viewAddress } from "../server/service";
import { useGallery } from "../stores/gallery";
import { type Lightbox, useUi } from "../stores/ui";
import { t } from "../strings";
import { IconButton } from "../widgets/IconButton";
import { copyPicture, takeAsInput } from "./results";

interface HeaderProps {
  lightbox: Lightbox;
  file: File;
  /** What is known of it, once it is. */
  piece: Piece | undefined;
  close(): void;
}

/** Its name, and all that can be done with it. */
export function ViewerHeader({ lightbox, file, piece, close }: HeaderProps) {
  const { at, among, beside } = lightbox;
  const picture = kindOf(file.filename) === "picture";
  const one = (): void => useUi.getState().set({ lightbox: { at, among } });
  const leave = (work: () => void): void => {
    close();
    work();
  };
  return (
    <header>
      <h2>{file.filename}</h2>
      {among.length > 1 && (
        <span className="viewer-place">{t.results.place(at + 1, among.length)}</span>
      )}
      {beside && (
        <button type="button" className="quiet" onClick={one}>
          <SquareSplitHorizontal size={15} />
          {t.results.endCompare}
        </button>
      )}
      {piece && (
        <IconButton label={t.results.graph} act={() => leave(() => void openPiece(piece))}>
          <FolderOpen size={16} />
        </IconButton>
      )}
      <IconButton label={t.results.input} act={() => leave(() => void takeAsInput(file))}>
        <ImageUp size={16} />
      </IconButton>
      {picture && (
        <IconButton label={t.results.copy} act={() => void copyPicture(file)}>
          <Copy size={16} />
        </IconButton>
      )}
      <a
        href={viewAddress(file)}
        download={file.filename}
        className="icon-button"
        aria-label={t.download}
        title={t.download}
      >
        <Download size={16} />
      </a>
      {piece && (
        <IconButton label={t.results.remove} act={() => useGallery.getState().askToDelete([piece])}>
          <Trash2 size={16} />
        </IconButton>
      )}
      <IconButton label={t.close} act={close}>
        <X size={16} />
      </IconButton>
    </header>
  );
}
