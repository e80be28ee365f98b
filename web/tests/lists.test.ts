import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { listOf } from "../src/server/http";
import { documentOf, JobDetail, Jobs } from "../src/server/service";

const entry = z.looseObject({ id: z.string(), size: z.number() });
const pagination = { total: 3, has_more: false };
const job = (id: string) => ({ id, status: "completed" });

describe("a list of the service", () => {
  it("shows every entry that can be read, whatever stands among them", () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.nat(), (odd, place) => {
        const at = place % (odd.length + 1);
        const given = [...odd.slice(0, at), { id: "fine", size: 1 }, ...odd.slice(at)];
        expect(listOf(entry).parse(given)).toContainEqual({ id: "fine", size: 1 });
      }),
    );
  });

  it("shows the other jobs where one is of a state that is not known here", () => {
    const jobs = [job("a"), { ...job("b"), status: "dreaming" }, { status: "completed" }, job("c")];
    const read = Jobs.parse({ jobs, pagination });
    expect(read.jobs.map(({ id }) => id)).toEqual(["a", "c"]);
  });

  it("is no list where it is none", () => {
    expect(listOf(entry).safeParse({ id: "fine", size: 1 }).success).toBe(false);
  });
});

describe("a job of another client", () => {
  it("opens as the prompt that ran, whatever its client sent beside it", () => {
    const prompt = { "1": { class_type: "X", inputs: {} } };
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (extra, workflow) => {
        const isObject = typeof workflow === "object" && workflow && !Array.isArray(workflow);
        for (const extra_data of [extra, { extra_pnginfo: extra }]) {
          const detail = { ...job("a"), workflow: { prompt, extra_data } };
          expect(JobDetail.safeParse(detail).success).toBe(true);
        }
        const extra_data = { extra_pnginfo: { workflow } };
        const read = JobDetail.parse({ ...job("a"), workflow: { prompt, extra_data } });
        expect(documentOf(read)).toEqual(isObject ? workflow : prompt);
      }),
      {
        examples: [
          [{}, [{}]],
          [{}, JSON.parse('{"__proto__": ""}')],
        ],
      },
    );
  });
});
