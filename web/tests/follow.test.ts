import { describe, expect, it } from "vitest";
import { follow } from "../src/run/follow";
import { type JobState, type Jobs, newJob } from "../src/run/progress";

const WORKFLOW = "workflow";
function jobs(states: Record<string, JobState>): Jobs {
  const all = Object.entries(states).map(([id, state], created) => ({
    ...newJob(id, WORKFLOW),
    state,
    created,
  }));
  // In whatever order they were heard of.
  return Object.fromEntries(all.reverse().map((job) => [job.id, job]));
}
const own = (...ids: string[]) => new Set(ids);

describe("the job that a workflow shows", () => {
  it("is the oldest that runs, not the newest that waits", () => {
    const all = jobs({ a: "done", b: "running", c: "running", d: "pending" });
    expect(follow(all, { [WORKFLOW]: "d" }, own("a", "b", "c", "d"))).toEqual({ [WORKFLOW]: "b" });
  });

  it("is the next that waits where none runs, and stays where all are over", () => {
    const waits = jobs({ a: "done", b: "pending", c: "pending" });
    expect(follow(waits, { [WORKFLOW]: "a" }, own("a", "b", "c"))[WORKFLOW]).toBe("b");
    const shown = { [WORKFLOW]: "a" };
    expect(follow(jobs({ a: "done", b: "cancelled" }), shown, own("a", "b"))).toBe(shown);
  });

  it("is nobody else's where the page ran it", () => {
    const all = jobs({ a: "done", b: "running" });
    expect(follow(all, { [WORKFLOW]: "a" }, own("a"))[WORKFLOW]).toBe("a");
    expect(follow(all, { [WORKFLOW]: "a" }, own())[WORKFLOW]).toBe("b");
    expect(follow(all, {}, own())[WORKFLOW]).toBe("b");
  });
});
