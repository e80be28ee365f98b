import { describe, expect, it } from "vitest";
import { isOver, type Jobs, previewed, secondsOf, told } from "../src/run/progress";
import type { Message } from "../src/server/socket";

const JOB = "job";
const at = (value: number, max: number, state: string) => ({ value, max, state });

function story(...messages: Message[]): Jobs {
  return messages.reduce((jobs, message, now) => told(jobs, message, now * 1000), {} as Jobs);
}

const start: Message = { type: "execution_start", data: { prompt_id: JOB } };
const cached: Message = { type: "execution_cached", data: { prompt_id: JOB, nodes: ["1"] } };
const progress = (nodes: Record<string, ReturnType<typeof at>>): Message => ({
  type: "progress_state",
  data: { prompt_id: JOB, nodes },
});

describe("a job's story", () => {
  it("tells of each node what it does and how long it took", () => {
    const jobs = story(
      start,
      cached,
      progress({ "2": at(0, 20, "running") }),
      progress({ "2": at(9, 20, "running") }),
      progress({ "2": at(20, 20, "finished") }),
      { type: "execution_success", data: { prompt_id: JOB } },
    );
    const job = jobs[JOB];
    expect(job?.state).toBe("done");
    expect(job?.nodes["1"]?.state).toBe("cached");
    expect(job?.nodes["2"]).toMatchObject({ state: "done", value: 20, started: 2000, ended: 4000 });
  });

  it("changes nothing but the node that went on", () => {
    const before = story(start, cached, progress({ "2": at(1, 20, "running") }));
    const nodes = { "1": at(1, 1, "finished"), "2": at(2, 20, "running") };
    const after = told(before, progress(nodes), 9);
    expect(after[JOB]?.nodes["1"]).toBe(before[JOB]?.nodes["1"]);
    expect(after[JOB]?.nodes["2"]).not.toBe(before[JOB]?.nodes["2"]);
    expect(told(after, progress(nodes), 10)).toBe(after);
  });

  it("takes lanes and times as the service tells them, also of what was over before", () => {
    const [one, two] = [at(1, 1, "finished"), at(0, 20, "running")];
    const ran = { lane: "lane 0 cpu", began: 5.5, seconds: 0.25 };
    const runs = { lane: "lane 1 cpu", began: 6.5 };
    const late = story(progress({ "1": one, "2": two }));
    expect(late[JOB]?.nodes["1"]?.state).toBe("cached");
    const spans = { "1": ran, "2": runs };
    const message: Message = {
      type: "progress_state",
      data: { prompt_id: JOB, nodes: { "1": one, "2": two }, spans },
    };
    const nodes = told(late, message, 7)[JOB]?.nodes;
    expect(nodes?.["1"]).toMatchObject({ state: "done", span: ran });
    expect(nodes?.["1"] && secondsOf(nodes["1"])).toBe(0.25);
    expect(nodes?.["2"]).toMatchObject({ state: "running", span: runs });
  });

  it("ends with the error at the node that failed", () => {
    const jobs = story(start, progress({ "2": at(0, 1, "running") }), {
      type: "execution_error",
      data: { prompt_id: JOB, node_id: "2", exception_message: "No." },
    });
    expect(jobs[JOB]).toMatchObject({ state: "failed", error: "No." });
    expect(jobs[JOB]?.nodes["2"]).toMatchObject({ state: "failed", error: "No." });
  });

  it("ends with no node running when it is cancelled", () => {
    const jobs = story(start, progress({ "2": at(3, 20, "running") }), {
      type: "execution_interrupted",
      data: { prompt_id: JOB },
    });
    const job = jobs[JOB];
    expect(job && isOver(job)).toBe(true);
    expect(Object.values(job?.nodes ?? {}).filter(({ state }) => state === "running")).toEqual([]);
  });

  it("lets a preview go for the next one, and takes none for a node that does not run", () => {
    const jobs = story(start, progress({ "2": at(3, 20, "running") }));
    const one = previewed(jobs, JOB, "2", "first");
    expect(one.old).toBeUndefined();
    expect(previewed(one.jobs, JOB, "2", "second").old).toBe("first");
    expect(previewed(one.jobs, JOB, "7", "stray").old).toBe("stray");
  });
});
