import { expect, it } from "vitest";
import { wav } from "../src/widgets/recorder/wav";

it("a WAV file says how long it is, and holds each sample", async () => {
  const file = wav([new Float32Array([0, 1]), new Float32Array([-1, 2, 0.5])], 48_000);
  const view = new DataView(await file.arrayBuffer());
  expect(view.byteLength).toBe(54);
  expect([view.getUint32(4, true), view.getUint32(24, true), view.getUint32(40, true)]).toEqual([
    46, 48_000, 10,
  ]);
  const samples = [0, 1, 2, 3, 4].map((place) => view.getInt16(44 + place * 2, true));
  expect(samples).toEqual([0, 32767, -32767, 32767, 16384]);
});
