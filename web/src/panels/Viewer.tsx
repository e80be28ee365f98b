import { ChevronLeft, ChevronRight } from "lucide-react";
import { type KeyboardEvent, useCallback, useEffect, useRef, useState } from "react";
import { tell } from "../app/files";
import { fetchPiece, kindOf, type Piece } from "../server/gallery";
import { type File, viewAddress } from "../server/service";
import { useGallery } from "../stores/gallery";
import { type Lightbox, useUi } from "../stores/ui";
import { t } from "../strings";
import { Compare } from "../widgets/Compare";
import { Picture } from "../widgets/Picture";
import { Sound } from "../widgets/Sound";
import { Details } from "./Details";
import { Differences, useDifferences } from "./Differences";
import { useModal } from "./modal";
import { ViewerHeader } from "./ViewerHeader";

const STEPS: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1 };

/** One result in full, what it was made of, and what can be done with it. */
export function Viewer({ lightbox }: { lightbox: Lightbox }) {
  const { at, among, beside } = lightbox;
  const [pixels, setPixels] = useState("");
  const file = among[at];
  const piece = usePiece(file);
  const differences = useDifferences(beside, file);
  const { set } = useUi.getState();
  const close = (): void => set({ lightbox: null });
  const modal = useModal(close);
  const step = (by: number): void => {
    if (!among[at + by]) return;
    setPixels("");
    set({ lightbox: { at: at + by, among } });
  };
  const onKey = (event: KeyboardEvent): void => {
    const plays = (event.target as HTMLElement).closest("video, input, [role=slider]") !== null;
    const by = STEPS[event.key];
    if (by !== undefined && !plays) step(by);
    else if (event.key === "Delete" && piece) useGallery.getState().askToDelete([piece]);
    else return;
    event.preventDefault();
  };
  if (!file) return null;
  return (
    <dialog {...modal} className="viewer" aria-label={file.filename} onKeyDown={onKey}>
      <ViewerHeader lightbox={lightbox} file={file} piece={piece} close={close} />
      <div className="viewer-body">
        <div className="viewer-stage">
          {beside ? (
            <Compare
              left={{ ...side(beside), words: differences?.words.left }}
              right={{ ...side(file), words: differences?.words.right }}
            />
          ) : (
            <Media key={viewAddress(file)} file={file} onPixels={setPixels} />
          )}
          {among.length > 1 && !beside && (
            <>
              <Step label={t.results.previous} by={-1} may={at > 0} step={step} />
              <Step label={t.results.next} by={1} may={at < among.length - 1} step={step} />
            </>
          )}
        </div>
        {piece && (
          <Details
            piece={piece}
            beside={beside && <Differences left={beside} right={file} found={differences} />}
            pixels={pixels}
            compare={(other) => set({ lightbox: { at, among, beside: other } })}
          />
        )}
      </div>
    </dialog>
  );
}

const side = (file: File) => ({ address: viewAddress(file), name: file.filename });

/** What the service knows of a file; undefined until it answered. */
function usePiece(file: File | undefined): Piece | undefined {
  const [known, setKnown] = useState<{ file: File; piece?: Piece }>();
  useEffect(() => {
    let over = false;
    if (file) {
      void tell(async () => {
        const piece = await fetchPiece(file);
        if (!over) setKnown({ file, piece });
      });
    }
    return () => {
      over = true;
    };
  }, [file]);
  return known?.file === file ? known?.piece : undefined;
}

interface StepProps {
  label: string;
  by: number;
  may: boolean;
  step(by: number): void;
}

function Step({ label, by, may, step }: StepProps) {
  return (
    <button
      type="button"
      className={by < 0 ? "viewer-step viewer-before" : "viewer-step viewer-after"}
      aria-label={label}
      title={label}
      disabled={!may}
      onClick={() => step(by)}
    >
      {by < 0 ? <ChevronLeft size={22} /> : <ChevronRight size={22} />}
    </button>
  );
}

function Media({ file, onPixels }: { file: File; onPixels(text: string): void }) {
  const address = viewAddress(file);
  switch (kindOf(file.filename)) {
    case "picture":
      return (
        <Picture
          file={file}
          alt={file.filename}
          onPixels={(width, height) => onPixels(t.results.pixels(width, height))}
        />
      );
    case "sound":
      return <Sound address={address} name={file.filename} />;
    case "film":
      return <Film address={address} onPixels={onPixels} />;
    case "other":
      return <p className="empty">{t.results.unseen}</p>;
  }
}

function Film({ address, onPixels }: { address: string; onPixels(text: string): void }) {
  const film = useRef<HTMLVideoElement>(null);
  const tell = useCallback((): void => {
    const { videoWidth = 0, videoHeight = 0 } = film.current ?? {};
    if (videoWidth > 0) onPixels(t.results.pixels(videoWidth, videoHeight));
  }, [onPixels]);
  // It may have loaded before it came onto the page, when nobody listened.
  useEffect(tell, [tell]);
  return (
    // biome-ignore lint/a11y/useMediaCaption: nobody knows what is said in it
    <video ref={film} controls loop src={address} onLoadedMetadata={tell} />
  );
}
