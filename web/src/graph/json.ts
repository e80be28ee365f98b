/** JSON that keeps every digit: whole numbers too large for a number are read as bigint. */

import { parse, stringify } from "lossless-json";
import { z } from "zod";
import type { Json } from "./model";
import { exact } from "./numbers";

/** Digits that a number may not hold, where a value stands; most texts have none. */
const LONG = /(?:^|[[:,\s])-?\d{16,}\s*(?:[,\]}]|$)/;
const WHOLE = /^-?\d+$/;

/** The value of a JSON text; throws `SyntaxError` where it is none. */
export function readJson(text: string): unknown {
  if (!LONG.test(text)) return JSON.parse(text);
  return parse(text, undefined, {
    parseNumber: (digits) => (WHOLE.test(digits) ? exact(BigInt(digits)) : Number(digits)),
    onDuplicateKey: ({ newValue }) => newValue,
  });
}

/** A value as JSON text; `indent` as `JSON.stringify` takes it. */
export const writeJson = (value: unknown, indent?: number): string =>
  stringify(value, null, indent) ?? "null";

/** Whatever `readJson` can give. */
export const AnyJson: z.ZodType<Json> = z.lazy(() =>
  z.union([
    z.null(),
    z.boolean(),
    z.number(),
    z.bigint(),
    z.string(),
    z.array(AnyJson),
    z.record(z.string(), AnyJson),
  ]),
);
