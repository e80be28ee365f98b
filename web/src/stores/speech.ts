/** Speech heard while it is made: its pieces are put end to end on the clock of WebAudio. */

import { create } from "zustand";
import type { Sound } from "../server/socket";

export interface Speech {
  state: "playing" | "paused" | "over";
  /** Seconds that have come so far. */
  length: number;
  /** No more will come. */
  whole: boolean;
}

interface Speeches {
  speeches: Record<string, Speech>;
  /** A piece came; it is played at once where that is wanted and nothing else is heard. */
  hear(sound: Sound, atOnce: boolean): void;
  /** The job is over: no more pieces of it will come. */
  end(job: string): void;
  /** Lets go of all but the pieces of these jobs. */
  keep(jobs: ReadonlySet<string>): void;
  play(key: string): void;
  pause(key: string): void;
  /** Seconds of it that were heard. */
  position(key: string): number;
}

/** By which the speech of a node of a job is known. */
export const speechKey = (job: string, node: string): string => `${job} ${node}`;

/** All speech that came, by job and node. */
export const useSpeech = create<Speeches>()((set, get) => {
  const players = new Map<string, Player>();
  const update = (key: string, part: Partial<Speech>): void => {
    const old = get().speeches[key] ?? { state: "paused", length: 0, whole: false };
    set({ speeches: { ...get().speeches, [key]: { ...old, ...part } } });
  };
  const isSilent = (): boolean =>
    Object.values(get().speeches).every(({ state }) => state !== "playing");
  const ranOut = (key: string): void => {
    if (!get().speeches[key]?.whole) return;
    players.get(key)?.pause();
    update(key, { state: "over" });
  };
  const play = (key: string): void => {
    const player = players.get(key);
    if (!player) return;
    for (const [other, { state }] of Object.entries(get().speeches)) {
      if (state === "playing" && other !== key) get().pause(other);
    }
    player.play();
    update(key, { state: "playing" });
  };
  return {
    speeches: {},
    hear({ prompt, node, number, file }, atOnce) {
      const key = speechKey(prompt, node);
      const known = players.get(key);
      const player = known ?? new Player(() => ranOut(key));
      players.set(key, player);
      player.add(number, file);
      update(key, { length: player.length });
      if (!known && atOnce && isSilent()) play(key);
    },
    end(job) {
      for (const [key, { state }] of Object.entries(get().speeches)) {
        if (!key.startsWith(speechKey(job, ""))) continue;
        update(key, { whole: true });
        if (state === "playing" && players.get(key)?.isSilent) ranOut(key);
      }
    },
    keep(jobs) {
      const left = Object.entries(get().speeches).filter(([key, { state }]) => {
        if (state === "playing" || jobs.has(key.split(" ")[0] ?? "")) return true;
        players.get(key)?.close();
        players.delete(key);
        return false;
      });
      set({ speeches: Object.fromEntries(left) });
    },
    play,
    pause(key) {
      players.get(key)?.pause();
      update(key, { state: "paused" });
    },
    position: (key) => players.get(key)?.position ?? 0,
  };
});

/** A little later than now, so that the first piece is not cut off. */
const LEAD = 0.03;
/** Where a WAV file has its rate, its bytes a second, and the length of its samples. */
const RATE_AT = 24;
const BYTES_PER_SECOND_AT = 28;
const HEADER = 44;

class Player {
  private pieces: ArrayBuffer[] = [];
  private context: AudioContext | undefined;
  /** Decoding is not in order by itself. */
  private decoding: Promise<void> = Promise.resolve();
  private waiting = 0;
  /** On the context's clock, where the next piece begins. */
  private cursor = 0;
  /** Seconds in which nothing was heard, as nothing had come. */
  private gaps = 0;
  length = 0;

  constructor(private readonly ranOut: () => void) {}

  add(number: number, file: ArrayBuffer): void {
    if (number !== this.pieces.length || file.byteLength < HEADER) return; // heard already
    this.pieces.push(file);
    this.length +=
      (file.byteLength - HEADER) / new DataView(file).getUint32(BYTES_PER_SECOND_AT, true);
    if (this.context) this.schedule(this.context, file);
  }

  play(): void {
    if (this.context) {
      void this.context.resume();
      return;
    }
    const [first] = this.pieces;
    // At the rate of the pieces, so that their ends meet without being bent.
    const sampleRate = first && new DataView(first).getUint32(RATE_AT, true);
    this.context = new AudioContext({ sampleRate });
    for (const piece of this.pieces) this.schedule(this.context, piece);
  }

  pause(): void {
    void this.context?.suspend();
  }

  close(): void {
    void this.context?.close();
  }

  get isSilent(): boolean {
    return this.waiting === 0;
  }

  get position(): number {
    if (!this.context) return 0;
    return Math.min(this.length, Math.max(0, this.context.currentTime - this.gaps));
  }

  private schedule(context: AudioContext, file: ArrayBuffer): void {
    this.waiting += 1;
    const played = this.decoding.then(async () => {
      const buffer = await context.decodeAudioData(file.slice(0));
      const source = new AudioBufferSourceNode(context, { buffer });
      source.connect(context.destination);
      const soonest = context.currentTime + LEAD;
      if (soonest > this.cursor) this.gaps += soonest - this.cursor;
      this.cursor = Math.max(soonest, this.cursor);
      source.start(this.cursor);
      this.cursor += buffer.duration;
      source.onended = () => this.over();
    });
    // A piece that is broken is left out; when the clock is gone, so are all.
    this.decoding = played.catch(() => this.over());
  }

  /** One piece was heard. */
  private over(): void {
    this.waiting -= 1;
    if (this.waiting === 0) this.ranOut();
  }
}
