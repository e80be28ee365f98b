import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { freePlace, GAP } from "../src/graph/free_place";
import type { Box } from "../src/graph/model";

const at = fc.integer({ min: -2000, max: 2000 });
const side = fc.integer({ min: 20, max: 900 });
const box: fc.Arbitrary<Box> = fc.record({ x: at, y: at, width: side, height: side });
const apart = (one: Box, other: Box): boolean =>
  one.x + one.width <= other.x ||
  other.x + other.width <= one.x ||
  one.y + one.height <= other.y ||
  other.y + other.height <= one.y;

describe("the place for something new", () => {
  it("is where it is wanted, if nothing is there", () => {
    expect(freePlace([], { width: 260, height: 100 }, { x: 253, y: -8 })).toEqual({
      x: 250,
      y: -10,
    });
  });

  it("overlaps nothing, and is no farther away than the length of what is in the way", () => {
    fc.assert(
      fc.property(fc.array(box, { maxLength: 60 }), box, (taken, { x, y, width, height }) => {
        const place = freePlace(taken, { width, height }, { x, y });
        const put = { ...place, width, height };
        expect(taken.every((one) => apart(one, put))).toBe(true);
        const lengths = taken.map((one) => one.height + height + 2 * GAP + 20);
        const farthest = lengths.reduce((sum, one) => sum + one, 20);
        expect(Math.hypot(place.x - x, place.y - y)).toBeLessThanOrEqual(farthest + 4000);
      }),
    );
  });

  it("is another one each time, in a row beside each other", () => {
    const size = { width: 260, height: 120 };
    const taken: Box[] = [];
    for (let count = 0; count < 12; count += 1) {
      taken.push({ ...freePlace(taken, size, { x: 0, y: 0 }), ...size });
    }
    expect(Math.max(...taken.map(({ x, y }) => Math.hypot(x, y)))).toBeLessThan(900);
  });
});
