/** What runs and what came of it; written by the socket alone. */

import { create } from "zustand";
import type { Workflow } from "../graph/model";
import { uuid } from "../graph/uuid";
import {
  isOver,
  type JobRun,
  type Jobs,
  type NodeRun,
  newJob,
  previewed,
  told,
} from "../run/progress";
import type { NodeErrors } from "../server/http";
import { fetchJob, fetchJobLists, type Job, type JobDetail } from "../server/service";
import { listen, type Message } from "../server/socket";
import type { Refusals } from "./complaints";
import { useSpeech } from "./speech";

interface Run {
  connected: boolean;
  /** There was a connection before. */
  known: boolean;
  remaining: number;
  jobs: Jobs;
  /** The job that a workflow's nodes show. */
  latest: Record<string, string>;
  /** Why the service refused nodes, by workflow. */
  refused: Record<string, Refusals>;
  /** The newest jobs, as the service lists them. */
  list: readonly Job[];
  /** The next of the jobs that wait, how many there are, and how many are asked for. */
  queue: { waiting: readonly Job[]; total: number; shown: number };
  connect(): () => void;
  /** A job of this page was queued. */
  queued(id: string, workflow: string): void;
  /** It refused nodes of a workflow as that is now. */
  refuse(workflow: Workflow, errors: NodeErrors): void;
  /** Fetches the list of jobs again. */
  refresh(): Promise<void>;
  /** Asks for so many of the jobs that wait. */
  showWaiting(number: number): void;
  /** Shows on the nodes of a workflow what its newest job made. */
  recall(workflow: string): Promise<void>;
}

const CLIENT = "soundstage.client";
const OWN = "soundstage.own";
const LISTED = 100;
const SHOWN = 50;
const MOST_SHOWN = 1000;
/** Between two looks at the lists while the queue is busy: it may change a thousand times a second. */
const PAUSE = 250;
const UNCLAIMED = 20;
const ENDS = new Set(["execution_success", "execution_error", "execution_interrupted"]);

/** One id for all tabs of this browser, so that each of them hears of the same jobs. */
export function clientId(): string {
  const known = localStorage.getItem(CLIENT);
  if (known) return known;
  const made = uuid();
  localStorage.setItem(CLIENT, made);
  return made;
}

/** Jobs as this page hears of them. */
export const useRun = create<Run>()((set, get) => {
  let refreshing: Promise<void> | undefined;
  let asked = false;
  /** Jobs whose beginning, or end, was asked for as nobody here heard it. */
  const caughtUp = new Set<string>();
  /** Jobs that were begun in this tab: they are heard here and not in others too, and a workflow
   * that was run here shows no other's run. */
  const own = new Set<string>();
  /** Until nobody asked again in the meantime: an answer may be older than the last event. */
  const fetchList = async (): Promise<void> => {
    while (asked) {
      asked = false;
      try {
        const { waiting, total, running, ended } = await fetchJobLists(get().queue.shown, LISTED);
        const list = inOrder([...ended, ...running, ...waiting]);
        const before = get().jobs;
        const inLine = waiting.filter(({ id }) => running.every((job) => job.id !== id));
        set({
          list,
          queue: { ...get().queue, waiting: inLine, total },
          ...taken(get(), list, own),
        });
        for (const { id } of list) if (wasMissed(before[id], get().jobs[id])) void catchUp(id);
      } catch {
        // The service is away; it is asked again when it is back.
      }
      if (asked) await new Promise((done) => window.setTimeout(done, PAUSE));
    }
  };
  const catchUp = async (id: string): Promise<void> => {
    const state = get().jobs[id]?.state;
    if (caughtUp.has(`${id} ${state}`)) return;
    caughtUp.add(`${id} ${state}`);
    const detail = await fetchJob(id).catch(() => undefined);
    const known = get().jobs[id];
    if (!detail || !known) return;
    const job = joined(known, remembered(detail, known.workflow));
    set({ jobs: { ...get().jobs, [id]: job } });
    freePreviews(known, job);
  };
  const hear = (message: Message): void => {
    if (message.type === "status") {
      set({ remaining: message.data.status.exec_info.queue_remaining });
      void get().refresh();
      return;
    }
    const before = get().jobs;
    const jobs = told(before, message, Date.now());
    if (jobs !== before) set({ jobs });
    if (ENDS.has(message.type) || message.type === "execution_start") {
      const id = message.data.prompt_id ?? "";
      freePreviews(before[id], jobs[id]);
      if (ENDS.has(message.type)) useSpeech.getState().end(id);
      forget();
      void get().refresh();
    }
  };
  /** Lets go of jobs that no workflow shows any more, and of their previews. The last few stay:
   * a quick job may be over before the answer comes that says whose it is. */
  const forget = (): void => {
    const { jobs, latest } = get();
    const shown = new Set(Object.values(latest));
    const left: Jobs = {};
    const all = Object.values(jobs);
    for (const [position, job] of all.entries()) {
      const kept = shown.has(job.id) || position >= all.length - UNCLAIMED;
      const now = isOver(job) ? withoutPreviews(job) : job;
      freePreviews(job, now);
      if (kept || !isOver(job)) left[job.id] = now;
    }
    set({ jobs: left });
    for (const id of own) if (!left[id]) own.delete(id);
    for (const key of caughtUp) if (!left[key.split(" ")[0] ?? ""]) caughtUp.delete(key);
    const open = Object.values(left).flatMap((job) => (isOver(job) ? [] : [job.id]));
    useSpeech.getState().keep(new Set([...shown, ...open]));
  };
  return {
    connected: false,
    known: false,
    remaining: 0,
    jobs: {},
    latest: {},
    refused: {},
    list: [],
    queue: { waiting: [], total: 0, shown: SHOWN },
    connect() {
      const before = JSON.parse(sessionStorage.getItem(OWN) ?? "[]") as string[];
      for (const id of before) own.add(id);
      return listen(clientId(), {
        message: hear,
        preview({ node, prompt, picture }) {
          const { jobs, old } = previewed(get().jobs, prompt, node, URL.createObjectURL(picture));
          if (old) URL.revokeObjectURL(old);
          set({ jobs });
        },
        sound: (sound) => useSpeech.getState().hear(sound, own.has(sound.prompt)),
        open() {
          caughtUp.clear();
          set({ connected: true, known: true });
          void get().refresh();
        },
        closed: () => set({ connected: false }),
      });
    },
    queued(id, workflow) {
      own.add(id);
      sessionStorage.setItem(OWN, JSON.stringify([...own]));
      const job = { ...(get().jobs[id] ?? newJob(id, workflow)), workflow };
      const refused = { ...get().refused };
      delete refused[workflow];
      set({
        jobs: { ...get().jobs, [id]: job },
        latest: { ...get().latest, [workflow]: id },
        refused,
      });
      void get().refresh();
    },
    refuse: (then, errors) => set({ refused: { ...get().refused, [then.id]: { errors, then } } }),
    refresh() {
      asked = true;
      refreshing ??= fetchList().finally(() => {
        refreshing = undefined;
      });
      return refreshing;
    },
    showWaiting(shown) {
      set({ queue: { ...get().queue, shown: Math.min(shown, MOST_SHOWN) } });
      void get().refresh();
    },
    async recall(workflow) {
      const jobs = get().list.filter((job) => job.workflow_id === workflow);
      const newest = jobs.find(({ id }) => own.has(id)) ?? jobs[0];
      if (!newest || get().latest[workflow]) return;
      const detail = await fetchJob(newest.id);
      if (get().latest[workflow]) return;
      const known = get().jobs[newest.id];
      const job = known ? { ...known, workflow } : remembered(detail, workflow);
      set({
        jobs: { ...get().jobs, [job.id]: job },
        latest: { ...get().latest, [workflow]: job.id },
      });
    },
  };
});

/** Each job once, as it was listed last, the newest first. */
function inOrder(jobs: readonly Job[]): Job[] {
  const each = new Map([...jobs].reverse().map((job) => [job.id, job]));
  return [...each.values()].sort((one, other) => other.create_time - one.create_time);
}

function withoutPreviews(job: JobRun): JobRun {
  if (!Object.values(job.nodes).some(({ preview }) => preview)) return job;
  const nodes: Record<string, NodeRun> = {};
  for (const [id, node] of Object.entries(job.nodes)) {
    const { preview, ...rest } = node;
    nodes[id] = preview ? rest : node;
  }
  return { ...job, nodes };
}

/** Lets go of the previews that a job had and has no more. */
function freePreviews(before: JobRun | undefined, now: JobRun | undefined): void {
  for (const [id, { preview }] of Object.entries(before?.nodes ?? {})) {
    if (preview && now?.nodes[id]?.preview !== preview) URL.revokeObjectURL(preview);
  }
}

/** Jobs of the list taken up: whose they are, and the end of those whose end was missed. */
function taken(
  run: Run,
  list: readonly Job[],
  own: ReadonlySet<string>,
): Pick<Run, "jobs" | "latest"> {
  const jobs = { ...run.jobs };
  const latest = { ...run.latest };
  for (const job of [...list].reverse()) {
    const known = jobs[job.id];
    const workflow = job.workflow_id ?? known?.workflow ?? null;
    const state = STATES[job.status];
    if (known && isOver(known) && (state === "pending" || state === "running")) continue; // an old list
    if (state === "pending" || state === "running") {
      jobs[job.id] = { ...(known ?? newJob(job.id, workflow)), workflow, state };
      const isShown = workflow && (own.has(job.id) || !own.has(latest[workflow] ?? ""));
      if (isShown) latest[workflow] = job.id;
    } else if (known && !isOver(known)) {
      jobs[job.id] = { ...known, workflow, state };
    } else if (known && known.workflow !== workflow) {
      jobs[job.id] = { ...known, workflow };
    }
  }
  return { jobs, latest };
}

/** A job began before this page came, or it ended while the page did not hear. */
function wasMissed(before: JobRun | undefined, now: JobRun | undefined): boolean {
  if (!now || now.state === "pending") return false;
  return isOver(now) ? before !== undefined && !isOver(before) : before?.started === undefined;
}

const STATES = {
  pending: "pending",
  in_progress: "running",
  completed: "done",
  failed: "failed",
  cancelled: "cancelled",
} as const;

/** A job as it was heard of here, and where that is silent as the service remembers it. */
function joined(heard: JobRun, known: JobRun): JobRun {
  const nodes = { ...known.nodes };
  for (const [id, node] of Object.entries(heard.nodes)) {
    const stale = isOver(heard) ? node.state === "running" : node.state === "cached";
    if (!(stale && nodes[id])) nodes[id] = { ...nodes[id], ...node };
  }
  return { ...heard, nodes, error: heard.error ?? known.error };
}

/** A job of which nobody here heard. */
export function remembered(detail: JobDetail, workflow: string | null): JobRun {
  const nodes: Record<string, NodeRun> = {};
  for (const id of detail.cached) nodes[id] = { state: "cached", value: 1, max: 1 };
  for (const [id, span] of Object.entries(detail.spans)) {
    const state = span.seconds === undefined ? "running" : "done";
    nodes[id] = { state, value: state === "done" ? 1 : 0, max: 1, span };
  }
  for (const [id, shown] of Object.entries(detail.outputs)) {
    nodes[id] = { ...(nodes[id] ?? { state: "done", value: 1, max: 1 }), shown };
  }
  const failed = detail.execution_error;
  if (failed?.node_id) {
    nodes[failed.node_id] = { state: "failed", value: 0, max: 1, error: failed.exception_message };
  }
  const error = failed?.exception_message;
  return { id: detail.id, workflow, state: STATES[detail.status], nodes, error };
}

/** How one node of a workflow fares; only its own events render it anew. */
export function useNodeRun(workflow: string, node: string, folded: boolean): NodeRun | undefined {
  return useRun((run) => nodeRunIn(run, workflow, node, folded));
}

/** How one node of a workflow fares; a subgraph fares as the most telling node inside of it. */
export function nodeRunIn(
  run: Pick<Run, "jobs" | "latest">,
  workflow: string,
  node: string,
  folded: boolean,
): NodeRun | undefined {
  const nodes = run.jobs[run.latest[workflow] ?? ""]?.nodes;
  if (!nodes || !folded) return nodes?.[node];
  const inside = Object.keys(nodes).filter((id) => id.startsWith(`${node}:`));
  const [telling] = STATES_BY_WEIGHT.flatMap((state) =>
    inside.filter((id) => nodes[id]?.state === state),
  );
  return nodes[telling ?? ""];
}

const STATES_BY_WEIGHT = ["failed", "running", "done", "cached"] as const;

/** The job that a workflow's nodes show. */
export function useLatestJob(workflow: string | undefined): JobRun | undefined {
  return useRun((run) => (workflow ? run.jobs[run.latest[workflow] ?? ""] : undefined));
}
