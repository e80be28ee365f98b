import { describe, expect, it } from "vitest";
import { leftOf, untilDone, usual } from "../src/run/estimate";
import type { Job } from "../src/server/service";

const job = (part: Partial<Job>): Job => ({
  id: "job",
  status: "completed",
  create_time: 0,
  workflow_id: null,
  outputs_count: 0,
  ...part,
});
const ended = (workflow_id: string, took: number, status: Job["status"] = "completed"): Job =>
  job({ workflow_id, status, execution_start_time: 1000, execution_end_time: 1000 + took });
const runs = (workflow_id: string, start: number): Job =>
  job({ workflow_id, status: "in_progress", execution_start_time: start });

const ENDED = [ended("a", 100), ended("a", 300), ended("a", 200), ended("b", 9000)];

describe("an estimate", () => {
  it("is the middle of what the same workflow took, or any", () => {
    expect(usual(ENDED, "a")).toBe(200);
    expect(usual(ENDED, "b")).toBe(9000);
    expect(usual(ENDED, "new")).toBe(300);
    expect(usual([ended("a", 5, "failed")], "a")).toBeUndefined();
    expect(usual([], null)).toBeUndefined();
  });

  it("tells what is left of a running job, and nothing where it takes longer than usual", () => {
    expect(leftOf(runs("a", 1000), ENDED, 1050)).toBe(150);
    expect(leftOf(runs("a", 1000), ENDED, 5000)).toBeUndefined();
    expect(leftOf(runs("a", 1000), [], 1050)).toBeUndefined();
    expect(leftOf(runs("a", 2000), ENDED, 1000), "a clock that is behind").toBe(200);
  });

  it("counts those that run side by side", () => {
    const two = [runs("a", 1000), runs("a", 1000)];
    expect(untilDone(two, 0, ENDED, 1000)).toBe(200);
    expect(untilDone(two, 10, ENDED, 1000)).toBe((2 * 200 + 10 * 300) / 2);
    expect(untilDone([], 2, ENDED, 0)).toBe(600);
    expect(untilDone(two, 2, [], 0)).toBeUndefined();
  });
});
