/** A run as a picture: a lane for each thread of the service, a bar for each node. */

import type { JobRun, NodeState } from "./progress";

export interface Bar {
  id: string;
  state: NodeState;
  /** Milliseconds after the first one began. */
  from: number;
  /** Milliseconds: loading weights, then running. */
  loading: number;
  running: number;
}

export interface Lane {
  name: string;
  /** Bars of one row do not overlap. */
  rows: Bar[][];
}

export interface Timeline {
  lanes: Lane[];
  /** All bars in the order in which they began. */
  bars: Bar[];
  cached: string[];
  /** Milliseconds in all. */
  length: number;
}

/** Shorter ones would have no axis. */
const SHORTEST = 1;

/** What ran in a job when; `now` by the clock of this page ends what still runs. */
export function timeline(job: Pick<JobRun, "nodes">, now: number): Timeline {
  const ran = Object.entries(job.nodes).flatMap(([id, { span, state }]) =>
    span ? [{ id, state, span }] : [],
  );
  ran.sort((one, other) => one.span.began - other.span.began);
  const start = ran[0]?.span.began ?? 0;
  // The clock of the service may be ahead of ours, never more than its last word.
  const latest = Math.max(now, ...ran.map(({ span }) => endOf(span.began, span)));
  const lanes = new Map<string, Lane>();
  const bars = ran.map(({ id, state, span }): Bar => {
    const loading = 1000 * (span.loading ?? 0);
    const open = span.seconds === undefined;
    const running = open ? latest - span.began - loading : 1000 * (span.seconds ?? 0);
    const bar = { id, state, from: span.began - start, loading, running: Math.max(0, running) };
    const lane = lanes.get(span.lane) ?? { name: span.lane, rows: [] };
    lanes.set(span.lane, lane);
    put(lane, bar);
    return bar;
  });
  const length = Math.max(SHORTEST, ...bars.map(barEnd));
  const sorted = [...lanes.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  const cached = Object.entries(job.nodes).flatMap(([id, { state, span }]) =>
    state === "cached" && !span ? [id] : [],
  );
  return { lanes: sorted, bars, cached, length };
}

export const barEnd = ({ from, loading, running }: Bar): number => from + loading + running;

const endOf = (began: number, span: { seconds?: number; loading?: number }): number =>
  began + 1000 * ((span.seconds ?? 0) + (span.loading ?? 0));

/** Into the first row that is free by then: bars come in the order in which they begin. */
function put(lane: Lane, bar: Bar): void {
  const row = lane.rows.find((one) => {
    const last = one.at(-1);
    return !last || barEnd(last) <= bar.from;
  });
  if (row) row.push(bar);
  else lane.rows.push([bar]);
}

const STEPS = [1, 2, 5];

/** Round times along an axis, at most so many of them. */
export function ticks(length: number, most: number): number[] {
  const least = length / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(least));
  const step = power * (STEPS.find((one) => one * power >= least) ?? 10);
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, number) => number * step);
}
