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
import { cancelJob, submit } from "../server/service";
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
  const { say, announce, show } = useUi.getState();
  try {
    const prompt = withChoices(toPrompt(workflow, catalog), catalog);
    const shows = ({ class_type }: PromptNode) => catalog.get(class_type)?.shows ?? true;
    if (!Object.values(prompt).some(shows)) throw new Unusable(t.run.nothingShown);
    const receipt = await submit(prompt, toEditor(workflow, catalog), clientId(), front);
    queued(receipt.prompt_id, workflow.id);
    const dropped = Object.keys(receipt.node_errors).length;
    if (dropped > 0) say(t.run.partly(dropped), "error");
    else announce(t.run.queued);
    useDocuments.getState().amend(tab.id, (now) => afterRun(now, catalog, Math.random));
    refuse(onTab(tab.id) ?? workflow, receipt.node_errors);
  } catch (error) {
    const wrong = error instanceof Refused ? error.nodeErrors : {};
    refuse(workflow, wrong);
    const count = Object.keys(wrong).length || (error instanceof Refused ? unknownCount() : 0);
    if (count > 0) show("problems");
    const words = withNames(wordsOf(error), workflow, catalog);
    say(count > 0 ? t.run.notYet(count) : words, "error");
  }
}

/** How many nodes have a problem where one of a type that is not known keeps all from running: the
 * service names it alone, the list of problems has the others too. */
function unknownCount(): number {
  const workflow = tabNow()?.history.present;
  const found = workflow ? allProblems(workflow, catalogNow()) : [];
  if (!found.some(({ problem }) => problem.kind === "unknown")) return 0;
  return new Set(found.map(({ node }) => node)).size;
}

const onTab = (tab: string): Workflow | undefined =>
  useDocuments.getState().tabs.find(({ id }) => id === tab)?.history.present;

/** An error in words for people. */
export function wordsOf(error: unknown): string {
  if (error instanceof Away) return t.run.away;
  if (error instanceof Refused || error instanceof Unusable) return error.message;
  return t.run.fault(error instanceof Error ? error.message : String(error));
}

/** Stops the job that the open workflow shows. */
export async function stop(): Promise<void> {
  const tab = tabNow();
  const id = tab && useRun.getState().latest[tab.id];
  if (id) await cancel(id);
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
    useUi.getState().say(wordsOf(error), "error");
  }
}
