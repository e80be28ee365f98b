import { Pause, Play } from "lucide-react";
import { useCallback, useEffect, useRef, useState } from "react";
import { t } from "../strings";
import { fetchPeaks } from "./peaks";

const BARS = 96;
const STEP_SECONDS = 2;

interface SoundProps {
  address: string;
  name: string;
  tabIndex?: number;
  /** Seconds into it where it begins. */
  begin?: number;
}

/** A sound to play, its loudness drawn, which is also where to go in it. */
export function Sound({ address, name, tabIndex, begin = 0 }: SoundProps) {
  const audio = useRef<HTMLAudioElement>(null);
  const [playing, setPlaying] = useState(false);
  const [at, setAt] = useState(0);
  const [seconds, setSeconds] = useState(0);
  const measure = useCallback((): void => {
    const duration = audio.current?.duration ?? 0;
    setSeconds(Number.isFinite(duration) ? duration : 0);
  }, []);
  // It may have loaded before it came onto the page, when nobody listened.
  useEffect(measure, [measure]);
  useEffect(() => {
    if (audio.current && begin > 0) audio.current.currentTime = begin;
  }, [begin]);
  const goTo = (to: number): void => {
    if (audio.current) audio.current.currentTime = Math.max(0, Math.min(seconds, to));
  };
  const toggle = (): void => {
    if (playing) audio.current?.pause();
    else void audio.current?.play().catch(() => undefined); // stopped before it began
  };
  const step = (key: string): number | undefined =>
    ({
      ArrowLeft: at - STEP_SECONDS,
      ArrowRight: at + STEP_SECONDS,
      Home: 0,
      End: seconds,
    })[key];
  return (
    <div className="sound">
      <button
        type="button"
        className="sound-play"
        tabIndex={tabIndex}
        aria-label={playing ? t.results.pause(name) : t.results.play(name)}
        onClick={toggle}
      >
        {playing ? <Pause size={16} /> : <Play size={16} />}
      </button>
      <div
        className="sound-wave"
        role="slider"
        tabIndex={tabIndex ?? 0}
        aria-label={t.results.position(name)}
        aria-valuemin={0}
        aria-valuemax={seconds}
        aria-valuenow={at}
        aria-valuetext={`${t.results.time(at)} / ${t.results.time(seconds)}`}
        onKeyDown={(event) => {
          const to = step(event.key);
          if (event.key === " ") toggle();
          else if (to !== undefined) goTo(to);
          else return;
          event.preventDefault();
          event.stopPropagation();
        }}
        onPointerDown={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          goTo(((event.clientX - box.left) / box.width) * seconds);
        }}
      >
        <Wave address={address} played={seconds > 0 ? at / seconds : 0} />
      </div>
      <span className="sound-time">{t.results.time(playing || at > 0 ? at : seconds)}</span>
      {/* biome-ignore lint/a11y/useMediaCaption: the graph's text is what is said */}
      <audio
        ref={audio}
        src={address}
        preload="metadata"
        onPlay={(event) => {
          setPlaying(true);
          for (const other of document.querySelectorAll("audio")) {
            if (other !== event.currentTarget) other.pause();
          }
        }}
        onPause={() => setPlaying(false)}
        onTimeUpdate={(event) => setAt(event.currentTarget.currentTime)}
        onDurationChange={measure}
      />
    </div>
  );
}

function Wave({ address, played }: { address: string; played: number }) {
  const place = useRef<SVGSVGElement>(null);
  const [peaks, setPeaks] = useState<readonly number[]>([]);
  useEffect(() => {
    const over = new AbortController();
    const seen = new IntersectionObserver((changes) => {
      if (!changes.some(({ isIntersecting }) => isIntersecting)) return;
      seen.disconnect();
      void fetchPeaks(address, BARS, over.signal).then((found) => {
        if (!over.signal.aborted) setPeaks(found ?? []);
      });
    });
    if (place.current) seen.observe(place.current);
    return () => {
      seen.disconnect();
      over.abort();
    };
  }, [address]);
  const loudest = Math.max(0.05, ...peaks);
  const bars = Array.from({ length: BARS }, (_, bar) => {
    const half = Math.max(1, ((peaks[bar] ?? 0) / loudest) * 48);
    return `M${bar * 3 + 1.5} ${50 - half}V${50 + half}`;
  }).join("");
  return (
    <svg
      ref={place}
      viewBox={`0 0 ${BARS * 3} 100`}
      preserveAspectRatio="none"
      aria-hidden="true"
      data-drawn={peaks.length > 0}
    >
      <path d={bars} />
      <path
        d={bars}
        className="sound-played"
        style={{ clipPath: `inset(0 ${100 - played * 100}% 0 0)` }}
      />
    </svg>
  );
}
