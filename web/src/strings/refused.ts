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

const NONE: ReadonlySet<string> = new Set();

/** What is wrong with a node, in words, and what to do about it; `unsupported`: the nodes of ComfyUI
 * that the service does not have. */
export function problemText(problem: Problem, unsupported: ReadonlySet<string> = NONE): string {
  if (problem.kind === "unknown") return unknownText(problem.type, unsupported);
  const input = problem.label || problem.input;
  switch (problem.kind) {
    case "missing":
      return problem.upload ? t.problems.noFile(input, problem.upload) : t.problems.missing(input);
    case "option": {
      const value = String(problem.value);
      return problem.model && value
        ? t.problems.model(input, value)
        : t.problems.option(input, value);
    }
    case "file":
      return t.problems.file(input, String(problem.value), problem.upload);
    case "range":
      return t.problems.range(input, problem.value, problem.min, problem.max);
    case "number":
      return t.problems.number(input);
  }
}

/** Why a node's type is not known, and what to do about it. */
export function unknownText(type: string, unsupported: ReadonlySet<string>): string {
  if (unsupported.has(type)) return t.problems.unsupported(type);
  return t.problems.unknown(type);
}
