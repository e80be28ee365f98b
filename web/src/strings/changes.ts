/** English: what changed between two states of a workflow, each in a sentence. */

import type { Change, Mark } from "../graph/diff";
import { writeJson } from "../graph/json";
import type { Json } from "../graph/model";
import { t } from ".";

const LONGEST = 40;

/** A value in few letters. */
export function brief(value: Json | undefined): string {
  if (value === undefined || value === null || value === "") return "nothing";
  const text = typeof value === "object" ? writeJson(value) : String(value);
  const short = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  return typeof value === "string" ? `“${short.replace(/\s+/g, " ")}”` : short;
}

/** A change as a sentence; `name` gives a node's title by its id. */
export function changeText(change: Change, name: (id: string) => string): string {
  switch (change.kind) {
    case "added":
      return `${name(change.node)} is new`;
    case "removed":
      return `${name(change.node)} is gone`;
    case "moved":
      return `${name(change.node)} was moved`;
    case "type":
      return `${name(change.node)} is a ${change.after} now, not a ${change.before} any more`;
    case "title":
      return change.after
        ? `${change.before || name(change.node)} is called ${change.after} now`
        : `${change.before} has no name of its own any more`;
    case "mode":
      return `${name(change.node)}: ${t.modes[change.after]} (before: ${t.modes[change.before]})`;
    case "value":
      return `${name(change.node)}: ${change.input} is ${brief(change.after)} (before: ${brief(change.before)})`;
    case "afterRun":
      return `${name(change.node)}: after each run ${change.input} ${t.seed[change.after]}`;
    case "look":
      return `${name(change.node)} looks different`;
    case "linked":
      return `${name(change.link.from)} is linked to ${change.link.input} of ${name(change.link.to)}`;
    case "unlinked":
      return `${name(change.link.from)} is linked to ${change.link.input} of ${name(change.link.to)} no more`;
    case "groupAdded":
      return `The group ${change.group.title} is new`;
    case "groupRemoved":
      return `The group ${change.group.title} is gone`;
    case "groupChanged":
      return `The group ${change.group.title} is different`;
    case "subgraphAdded":
      return `The subgraph ${change.name} is new`;
    case "subgraphRemoved":
      return `The subgraph ${change.name} is gone`;
    case "subgraphChanged":
      return `The subgraph ${change.name} has other inputs, outputs or another name`;
  }
}

/** What is said of a changed node on the canvas. */
export const markWords: Record<Mark, string> = {
  added: "+ new",
  removed: "− gone",
  changed: "~ changed",
  moved: "↔ moved",
};

/** The sign before a change in a list. */
export function sign({ kind }: Change): string {
  if (kind === "added" || kind === "linked" || kind === "groupAdded" || kind === "subgraphAdded") {
    return "+";
  }
  const gone = ["removed", "unlinked", "groupRemoved", "subgraphRemoved"].includes(kind);
  return gone ? "−" : kind === "moved" ? "↔" : "~";
}
