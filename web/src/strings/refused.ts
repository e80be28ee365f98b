import type { Refusal } from "../graph/connect";
import type { Problem } from "../graph/problems";
import { t } from "./index";

/** Why a link may not be drawn, in words. */
export function refused(why: Refusal): string {
  switch (why.reason) {
    case "type":
      return t.refused.type(why.received, why.expected);
    case "circle":
      return t.refused.circle(why.through);
    case "itself":
      return t.refused.itself;
    case "missing":
      return t.refused.missing;
  }
}

/** What is wrong with a node, in words, and what to do about it. */
export function problemText(problem: Problem): string {
  switch (problem.kind) {
    case "unknown":
      return t.problems.unknown(problem.type);
    case "missing":
      return t.problems.missing(problem.input);
    case "option":
      return t.problems.option(problem.input, String(problem.value));
    case "range":
      return t.problems.range(problem.input, problem.value, problem.min, problem.max);
    case "number":
      return t.problems.number(problem.input);
  }
}
