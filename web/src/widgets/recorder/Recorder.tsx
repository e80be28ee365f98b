import { Mic, Square, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";
import { t } from "../../strings";
import { IconButton } from "../IconButton";
import { canListen, listen, type Take } from "./microphone";
import { wav } from "./wav";

interface RecorderProps {
  /** Takes the recording; whether it arrived. */
  use(file: File): Promise<boolean>;
  close(): void;
}

interface Recording {
  file: File;
  source: string;
}

const w = t.widget.recorder;
const LONGEST = 600;
/** How much of a loud moment is left on the meter with each part that is heard. */
const FALL = 0.96;

/** A sound from the microphone: recorded, heard, and used. */
export default function Recorder({ use, close }: RecorderProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const take = useRef<Take | null>(null);
  /** It was closed, perhaps while the browser still asked whether it may listen. */
  const over = useRef(false);
  const parts = useRef<Float32Array[]>([]);
  const level = useRef(0);
  const [recording, setRecording] = useState(false);
  const [made, setMade] = useState<Recording | null>(null);
  const [seen, setSeen] = useState({ level: 0, seconds: 0 });
  const [wrong, setWrong] = useState(canListen() ? "" : w.insecure);
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    over.current = false;
    dialog.current?.showModal();
    return () => {
      over.current = true;
      take.current?.end();
    };
  }, []);
  useEffect(() => () => URL.revokeObjectURL(made?.source ?? ""), [made]);
  useEffect(() => {
    if (!recording) return;
    let frame = 0;
    const look = (): void => {
      const rate = take.current?.rate ?? 1;
      const count = parts.current.reduce((sum, part) => sum + part.length, 0);
      setSeen({ level: level.current, seconds: count / rate });
      if (count / rate < LONGEST) frame = requestAnimationFrame(look);
      else stop();
    };
    frame = requestAnimationFrame(look);
    return () => cancelAnimationFrame(frame);
  });

  const start = async (): Promise<void> => {
    parts.current = [];
    level.current = 0;
    setMade(null);
    setWrong("");
    try {
      const begun = await listen((part) => {
        parts.current.push(part);
        const peak = part.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
        level.current = Math.max(peak, level.current * FALL);
      });
      if (over.current) return begun.end();
      take.current = begun;
      setRecording(true);
    } catch (error) {
      setWrong(
        error instanceof DOMException ? (w.refused[error.name] ?? error.message) : String(error),
      );
    }
  };
  const stop = (): void => {
    const ended = take.current;
    ended?.end();
    take.current = null;
    setRecording(false);
    if (!ended) return;
    const when = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
    const file = new File([wav(parts.current, ended.rate)], `recording ${when}.wav`, {
      type: "audio/wav",
    });
    parts.current = [];
    setMade({ file, source: URL.createObjectURL(file) });
  };
  const keep = async (): Promise<void> => {
    if (!made) return;
    setBusy(true);
    if (await use(made.file)) close();
    setBusy(false);
  };
  return createPortal(
    <dialog
      ref={dialog}
      className="recorder"
      aria-label={w.title}
      onKeyDown={(event) => event.stopPropagation()}
      onClose={close}
    >
      <header>
        <span>{w.title}</span>
        <IconButton label={t.close} act={close}>
          <X size={16} />
        </IconButton>
      </header>
      <div className="recorder-body">
        <button
          type="button"
          className={recording ? "recorder-button recorder-on" : "recorder-button"}
          aria-label={recording ? w.stop : made ? w.again : w.start}
          title={recording ? w.stop : made ? w.again : w.start}
          disabled={!canListen()}
          onClick={() => (recording ? stop() : void start())}
        >
          {recording ? <Square size={20} fill="currentColor" /> : <Mic size={24} />}
        </button>
        <p className="recorder-time" role="timer">
          {w.time(seen.seconds)}
        </p>
        <Level level={recording ? seen.level : 0} />
        {/* biome-ignore lint/a11y/useMediaCaption: a person's own recording */}
        {made && <audio controls src={made.source} aria-label={w.made} />}
        <p className="recorder-words" role="status">
          {wrong || (recording ? w.listening : made ? w.heard : w.hint)}
        </p>
      </div>
      <footer>
        <button type="button" className="button" onClick={close}>
          {w.cancel}
        </button>
        <button
          type="button"
          className="button button-main"
          disabled={!made || busy}
          onClick={() => void keep()}
        >
          {w.use}
        </button>
      </footer>
    </dialog>,
    document.body,
  );
}

/** How loud it is, in decibels from -60 to 0; too loud is told apart. */
function Level({ level }: { level: number }) {
  const decibels = Math.max(-60, Math.min(0, 20 * Math.log10(Math.max(level, 1e-6))));
  return (
    <meter
      className="recorder-level"
      aria-label={w.level}
      min={-60}
      max={0}
      low={-40}
      high={-3}
      optimum={-20}
      value={decibels}
    >
      {w.decibels(decibels)}
    </meter>
  );
}
