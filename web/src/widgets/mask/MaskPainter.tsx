import {
  Blend,
  Brush as BrushIcon,
  Eraser,
  Maximize,
  Redo2,
  SquareDashed,
  Undo2,
  X,
  ZoomIn,
  ZoomOut,
} from "lucide-react";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";
import { type File, uploadMask, viewAddress } from "../../server/service";
import { useUi } from "../../stores/ui";
import { t } from "../../strings";
import { IconButton } from "../IconButton";
import type { Brush, Painting } from "./painting";
import { Stage } from "./Stage";

interface MaskProps {
  file: File;
  /** The masked picture is stored under this name. */
  saved(name: string): Promise<void>;
  close(): void;
}

const w = t.widget.mask;
const GROWTH = 1.25;
/** Of the brush, in pixels of the picture. */
const LARGEST = 400;

/** A mask painted over a picture; kept as the picture's transparency. */
export default function MaskPainter({ file, saved, close }: MaskProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [painting, setPainting] = useState<Painting | null>(null);
  const [brush, setBrush] = useState<Brush>({ size: 40, hardness: 0.8, erases: false });
  const [zoom, setZoom] = useState<number | null>(null);
  const [busy, setBusy] = useState(false);
  const [, redraw] = useState({});
  const { say, announce } = useUi.getState();
  useEffect(() => dialog.current?.showModal(), []);

  const leave = (): void => {
    if (painting?.changed && !window.confirm(w.discard)) return;
    close();
  };
  const act = (work: () => void, words: string): void => {
    work();
    announce(words);
    redraw({});
  };
  const resize = (factor: number): void => {
    const far = factor > 1 ? Math.ceil(brush.size * factor) : Math.floor(brush.size * factor);
    const size = Math.max(1, Math.min(LARGEST, far));
    setBrush({ ...brush, size });
    announce(w.sized(size));
  };
  const keep = async (): Promise<void> => {
    if (!painting) return;
    setBusy(true);
    try {
      const name = `${file.filename.replace(/\.[^.]*$/, "").replace(/^masked-/, "")}.png`;
      await saved(await uploadMask(await painting.picture(), `masked-${name}`, file));
      close();
    } catch (error) {
      say(
        t.widget.notSent(w.title, String(error instanceof Error ? error.message : error)),
        "error",
      );
      setBusy(false);
    }
  };
  const key = (event: KeyboardEvent): void => {
    event.stopPropagation();
    const typing = event.target instanceof HTMLInputElement && event.target.type !== "range";
    const held = event.ctrlKey || event.metaKey;
    if (typing || !painting) return;
    const undo = held && event.key.toLowerCase() === "z";
    if (undo && event.shiftKey) act(() => painting.redo(), w.redo);
    else if (undo) act(() => painting.undo(), w.undo);
    else if (held) return;
    else if (event.key === "[") resize(1 / GROWTH);
    else if (event.key === "]") resize(GROWTH);
    else if (event.key === "i") act(() => painting.invert(), w.invert);
    else if (event.key === "x") setBrush({ ...brush, erases: !brush.erases });
    else if (event.key === "+") setZoom((zoom ?? 1) * GROWTH);
    else if (event.key === "-") setZoom((zoom ?? 1) / GROWTH);
    else return;
    event.preventDefault();
  };
  return createPortal(
    <dialog
      ref={dialog}
      className="mask"
      aria-label={w.title}
      onKeyDown={key}
      onPaste={(event) => event.stopPropagation()}
      onCancel={(event) => {
        event.preventDefault();
        leave();
      }}
    >
      <header>
        <span>{w.of(file.filename)}</span>
        <IconButton label={t.close} act={leave}>
          <X size={16} />
        </IconButton>
      </header>
      <div className="mask-tools" role="toolbar" aria-label={w.tools}>
        <div className="mask-group">
          <IconButton
            label={w.paint}
            pressed={!brush.erases}
            act={() => setBrush({ ...brush, erases: false })}
          >
            <BrushIcon size={16} />
          </IconButton>
          <IconButton
            label={w.erase}
            pressed={brush.erases}
            act={() => setBrush({ ...brush, erases: true })}
          >
            <Eraser size={16} />
          </IconButton>
        </div>
        <Slider
          name={w.size}
          value={brush.size}
          min={1}
          max={LARGEST}
          shown={w.pixels(brush.size)}
          set={(size) => setBrush({ ...brush, size })}
        />
        <Slider
          name={w.hardness}
          value={Math.round(brush.hardness * 100)}
          min={0}
          max={100}
          shown={w.percent(Math.round(brush.hardness * 100))}
          set={(part) => setBrush({ ...brush, hardness: part / 100 })}
        />
        <div className="mask-group">
          <IconButton
            label={w.undo}
            disabled={!painting?.undoable}
            act={() => act(() => painting?.undo(), w.undo)}
          >
            <Undo2 size={16} />
          </IconButton>
          <IconButton
            label={w.redo}
            disabled={!painting?.redoable}
            act={() => act(() => painting?.redo(), w.redo)}
          >
            <Redo2 size={16} />
          </IconButton>
          <IconButton
            label={w.invert}
            disabled={!painting}
            act={() => act(() => painting?.invert(), w.invert)}
          >
            <Blend size={16} />
          </IconButton>
          <IconButton
            label={w.clear}
            disabled={!painting}
            act={() => act(() => painting?.clear(), w.clear)}
          >
            <SquareDashed size={16} />
          </IconButton>
        </div>
        <div className="mask-group">
          <IconButton label={w.zoomOut} act={() => setZoom((zoom ?? 1) / GROWTH)}>
            <ZoomOut size={16} />
          </IconButton>
          <IconButton label={w.fit} act={() => setZoom(null)}>
            <Maximize size={16} />
          </IconButton>
          <IconButton label={w.zoomIn} act={() => setZoom((zoom ?? 1) * GROWTH)}>
            <ZoomIn size={16} />
          </IconButton>
        </div>
        <div className="mask-group mask-ends">
          <button type="button" className="button" onClick={leave}>
            {w.cancel}
          </button>
          <button
            type="button"
            className="button button-main"
            disabled={!painting || busy}
            onClick={() => void keep()}
          >
            {w.save}
          </button>
        </div>
      </div>
      <Stage
        picture={viewAddress(file, "webp;90", "rgb")}
        alpha={viewAddress(file, undefined, "a")}
        brush={brush}
        zoom={zoom}
        setZoom={setZoom}
        painting={painting}
        ready={setPainting}
        painted={() => redraw({})}
      />
      <p className="mask-hint">{w.hint}</p>
      <p className="mask-hint mask-hint-touch">{w.touch}</p>
    </dialog>,
    document.body,
  );
}

interface SliderProps {
  name: string;
  value: number;
  min: number;
  max: number;
  shown: string;
  set(value: number): void;
}

function Slider({ name, value, min, max, shown, set }: SliderProps) {
  return (
    <label className="mask-slider">
      <span>{name}</span>
      <input
        type="range"
        min={min}
        max={max}
        value={value}
        aria-valuetext={shown}
        onChange={({ target }) => set(Number(target.value))}
      />
      <output>{shown}</output>
    </label>
  );
}
