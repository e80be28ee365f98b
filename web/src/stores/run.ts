/** What runs and what came of it; written by the socket alone. */

import { create } from "zustand";
import type { Workflow } from "../graph/model";
import { uuid } from "../graph/uuid";
import { follow } from "../run/follow";
import { inOrder, joined, listed, remembered, wasMissed } from "../run/listed";
import {
  isOver,
  type JobRun,
  type Jobs,
  type NodeRun,
  newJob,
  previewed,
  told,
  warningsOf,
} from "../run/progress";
import type { NodeErrors } from "../server/http";
import { fetchJob, fetchJobLists, fetchLastJobs, type Job } from "../server/service";
import { listen, type Message } from "../server/socket";
import { t } from "../strings";
import type { Refusals } from "./complaints";
import { useSpeech } from "./speech";
import { useUi } from "./ui";

interface Run {
  connected: boolean;
  /** There was a connection before. */
  known: boolean;
  /** Since when it is lost, by this page's clock in milliseconds; undefined: it stands. */
  lost: number | undefined;
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
  /** The jobs that were begun in this browser tab. */
  own(): ReadonlySet<string>;
  /** A job of this page was queued, and what the workflow is now. */
  queued(id: string, then: Workflow): void;
  /** It refused nodes of a workflow as that is now; `partly`: it runs without them. */
  refuse(workflow: Workflow, errors: NodeErrors, partly: boolean): void;
  /** Somebody read why a workflow was refused. */
  read(workflow: string): void;
  /** Fetches the list of jobs again. */
  refresh(): Promise<void>;
  /** Asks for so many of the jobs that wait. */
  showWaiting(number: number): void;
  /** Shows on the nodes of a workflow, as that is now, what its last job made, unless they show one
   * already. */
  recall(now: Workflow): Promise<void>;
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
        const jobs = listed(before, list);
        const latest = follow(jobs, get().latest, own);
        set({ list, queue: { ...get().queue, waiting: inLine, total }, jobs, latest });
        useUi.getState().settle("away");
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
  /** The reason of the notice that is shown, and stays away once somebody has read it. */
  let paused: string | undefined;
  const showPaused = (reason: string | undefined): void => {
    if (reason === paused) return;
    paused = reason;
    useUi.getState().settle("paused");
    if (reason) useUi.getState().say(t.queuePaused(reason), "error", { cause: "paused" });
  };
  const hear = (message: Message): void => {
    if (message.type === "status") {
      set({ remaining: message.data.status.exec_info.queue_remaining });
      showPaused(message.data.status.worker_paused);
      void get().refresh();
      return;
    }
    const before = get().jobs;
    const jobs = told(before, message, Date.now());
    if (jobs !== before) set({ jobs });
    if (ENDS.has(message.type) || message.type === "execution_start") {
      set({ latest: follow(jobs, get().latest, own) });
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
    lost: undefined,
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
          // The lists are asked for by its first message, a status.
          set({ connected: true, known: true, lost: undefined });
          useUi.getState().settle("away");
        },
        closed: () => set({ connected: false, lost: get().lost ?? Date.now() }),
      });
    },
    own: () => own,
    queued(id, then) {
      own.add(id);
      sessionStorage.setItem(OWN, JSON.stringify([...own]));
      const workflow = then.id;
      const created = Date.now();
      const job = {
        created,
        ...(get().jobs[id] ?? newJob(id, workflow)),
        workflow,
        queuedAs: then,
      };
      const refused = { ...get().refused };
      delete refused[workflow];
      const jobs = { ...get().jobs, [id]: job };
      // Where another one of this page runs, that one stays shown. What is over already is shown.
      const shown = { ...get().latest, [workflow]: id };
      set({ jobs, latest: follow(jobs, shown, own), refused });
      void get().refresh();
    },
    refuse(then, errors, partly) {
      const read = partly && Object.keys(errors).length === 0;
      set({ refused: { ...get().refused, [then.id]: { errors, then, partly, read } } });
    },
    read(workflow) {
      const refusal = get().refused[workflow];
      if (refusal) set({ refused: { ...get().refused, [workflow]: { ...refusal, read: true } } });
    },
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
    async recall(now) {
      const workflow = now.id;
      const jobs = await fetchLastJobs(workflow);
      const newest = jobs.find(({ id }) => own.has(id)) ?? jobs[0];
      if (!newest || get().latest[workflow]) return;
      const detail = await fetchJob(newest.id);
      if (get().latest[workflow]) return;
      const known = get().jobs[newest.id];
      const past = remembered(detail, workflow);
      const job = { ...(known ? joined(known, past) : past), workflow, queuedAs: now };
      set({
        jobs: { ...get().jobs, [job.id]: job },
        latest: { ...get().latest, [workflow]: job.id },
      });
    },
  };
});

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

/** What the nodes at one place of a workflow remarked, as one text: only a change of it renders anew.
 * `folded`: of all nodes inside. */
export const useNodeWarnings = (workflow: string, node: string, folded: boolean): string[] =>
  JSON.parse(
    useRun((run) => {
      const nodes = run.jobs[run.latest[workflow] ?? ""]?.nodes ?? {};
      const here = folded
        ? Object.keys(nodes).filter((id) => id.startsWith(`${node}:`))
        : [node].filter((id) => id in nodes);
      return JSON.stringify([...new Set(here.flatMap((id) => warningsOf(nodes[id])))]);
    }),
  ) as string[];

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
