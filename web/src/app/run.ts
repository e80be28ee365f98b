/** From the open workflow to a job of the service. */

import { afterRun } from "../graph/after_run";
import { withNames } from "../graph/locate";
import type { Workflow } from "../graph/model";
import { Unusable } from "../graph/places";
import { allProblems } from "../graph/problems";
import { type PromptNode, toPrompt } from "../graph/prompt";
import { withChoices } from "../graph/variants";
import { toEditor } from "../graph/write_editor";
import { Away, Refused } from "../server/http";
import { cancelJob, cancelJobs, fetchOpenJobs, submit } from "../server/service";
import { catalogNow } from "../stores/catalog";
import { tabNow, useDocuments } from "../stores/documents";
import { clientId, useRun } from "../stores/run";
import { useUi } from "../stores/ui";
import { t } from "../strings";

/** Queues the open workflow; `front`: before all that wait. */
export async function run(front = false): Promise<void> {
  const tab = tabNow();
  if (!tab) return;
  const catalog = catalogNow();
  const workflow = tab.history.present;
  const { queued, refuse } = useRun.getState();
  const { announce, show } = useUi.getState();
  try {
    const prompt = withChoices(toPrompt(workflow, catalog), catalog);
    const shows = ({ class_type }: PromptNode) => catalog.get(class_type)?.shows ?? true;
    if (!Object.values(prompt).some(shows)) throw new Unusable(t.run.nothingShown);
    const receipt = await submit(prompt, toEditor(workflow, catalog), clientId(), front);
    useDocuments.getState().amend(tab.id, (now) => afterRun(now, catalog, Math.random));
    const then = onTab(tab.id) ?? workflow;
    queued(receipt.prompt_id, then);
    refuse(then, receipt.node_errors, true);
    announce(t.run.queued);
  } catch (error) {
    const wrong = error instanceof Refused ? error.nodeErrors : {};
    refuse(workflow, wrong, false);
    // One node of a kind that is not known keeps all from running, and is all that is said then.
    const isListed = error instanceof Refused && hasUnknown(workflow);
    if (Object.keys(wrong).length > 0 || isListed) show("problems");
    else {
      useRun.getState().read(workflow.id);
      complain(error, { tab: tab.id, words: withNames(wordsOf(error), workflow, catalog) });
    }
  }
}

const hasUnknown = (workflow: Workflow): boolean =>
  allProblems(workflow, catalogNow()).some(({ problem }) => problem.kind === "unknown");

const onTab = (tab: string): Workflow | undefined =>
  useDocuments.getState().tabs.find(({ id }) => id === tab)?.history.present;

/** An error in words for people. */
export function wordsOf(error: unknown): string {
  if (error instanceof Away) return t.run.away;
  if (error instanceof Refused || error instanceof Unusable) return error.message;
  return t.run.fault(error instanceof Error ? error.message : String(error));
}

/** Says what went wrong: at the workflow that it is of, if it is of one; that the service is away, as
 * long as it is. */
export function complain(
  error: unknown,
  { tab, words = wordsOf(error) }: { tab?: string; words?: string } = {},
): void {
  const cause = error instanceof Away ? "away" : undefined;
  useUi.getState().say(words, "error", { tab, cause });
}

/** Which runs are stopped: what runs of the open workflow, what it shows, all of it that runs or
 * waits, or all that this browser tab queued. */
export type Stopped = "running" | "shown" | "workflow" | "own";

/** Stops runs of the open workflow, or of this browser tab, and says what came of it. */
export function stop(which: Stopped = "running"): Promise<void> {
  const tab = tabNow()?.id;
  return guarded(async () => {
    if (tab === undefined) return;
    const open = await fetchOpenJobs(which === "own" ? undefined : tab);
    const running = open.filter(({ status }) => status === "in_progress");
    const chosen = {
      // Where nothing runs yet, what waits is meant.
      running: running.length > 0 ? running : open,
      shown: open.filter(({ id }) => id === useRun.getState().latest[tab]),
      workflow: open,
      own: open.filter(({ id }) => useRun.getState().own().has(id)),
    }[which];
    if (chosen.length > 0) await cancelJobs(chosen.map(({ id }) => id));
    const left = open.filter((job) => !chosen.includes(job));
    const ran = chosen.filter((job) => running.includes(job)).length;
    const wait = left.filter((job) => !running.includes(job)).length;
    useUi.getState().say(t.run.stopped(ran, chosen.length - ran, left.length - wait, wait));
  }, useRun.getState().refresh);
}

/** Stops a job, or takes it out of the queue. */
export function cancel(id: string): Promise<void> {
  return guarded(
    () => cancelJob(id),
    () => {
      useUi.getState().announce(t.run.cancelled);
      return useRun.getState().refresh();
    },
  );
}

/** Does the one, then the other; says what went wrong. */
export async function guarded(work: () => Promise<void>, then: () => Promise<void>): Promise<void> {
  try {
    await work();
    await then();
  } catch (error) {
    complain(error);
  }
}
