import { FileQuestion, FolderOpen, Play } from "lucide-react";
import { memo } from "react";
import { openPiece } from "../app/files";
import type { Piece } from "../server/gallery";
import { SMALL, SMALL_PREVIEW, viewAddress } from "../server/service";
import { useGallery } from "../stores/gallery";
import { t } from "../strings";
import { Picture } from "../widgets/Picture";
import { Sound } from "../widgets/Sound";

interface TileProps {
  piece: Piece;
  /** Whether the Tab key stops at it. */
  here: boolean;
  onHere(id: number): void;
  onOpen(id: number): void;
}

/** One result in the gallery. */
export const PieceTile = memo(function PieceTile({ piece, here, onHere, onOpen }: TileProps) {
  const { id, kind, file } = piece;
  const picked = useGallery(({ picked }) => picked.has(id));
  const tabIndex = here ? 0 : -1;
  const name = file.filename;
  return (
    <li
      className={`piece piece-${kind}${picked ? " piece-picked" : ""}`}
      data-piece={id}
      onFocus={() => onHere(id)}
    >
      {kind === "sound" && <Sound address={viewAddress(file)} name={name} tabIndex={tabIndex} />}
      <button
        type="button"
        className="piece-look"
        tabIndex={tabIndex}
        aria-label={t.results.look(name)}
        onClick={(event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) useGallery.getState().pick(id);
          else onOpen(id);
        }}
      >
        <Look piece={piece} />
      </button>
      <div className="piece-row">
        <input
          type="checkbox"
          tabIndex={tabIndex}
          checked={picked}
          aria-label={t.results.pick(name)}
          title={t.results.pick(name)}
          onChange={() => useGallery.getState().pick(id)}
        />
        {kind !== "sound" && <span title={name}>{name}</span>}
        <button
          type="button"
          className="icon-button"
          tabIndex={tabIndex}
          aria-label={t.results.graph}
          title={t.results.graph}
          onClick={() => void openPiece(piece)}
        >
          <FolderOpen size={14} />
        </button>
      </div>
    </li>
  );
});

function Look({ piece }: { piece: Piece }) {
  const { kind, file } = piece;
  switch (kind) {
    case "picture":
      return <Picture file={file} preview={SMALL_PREVIEW} size={SMALL} alt="" lazy />;
    case "film":
      return (
        <>
          <video src={`${viewAddress(file)}#t=0.1`} preload="metadata" muted tabIndex={-1} />
          <span className="film-mark" aria-hidden="true">
            <Play size={15} />
          </span>
        </>
      );
    case "sound":
      return file.filename;
    case "other":
      return <FileQuestion size={28} aria-hidden="true" />;
  }
}
