/** JSON that keeps every digit: whole numbers too large for a number are read as bigint. */

import { parse, stringify } from "lossless-json";
import { z } from "zod";
import type { Json } from "./model";
import { exact } from "./numbers";

/** Digits that a number may not hold, where a value stands; most texts have none. */
const LONG = /(?:^|[[:,\s])-?\d{16,}\s*(?:[,\]}]|$)/;
const WHOLE = /^-?\d+$/;

/** What newer browsers say of the text that a value was read from. */
type Context = { source?: string } | undefined;

const withDigits = (_key: string, value: unknown, context?: Context): unknown => {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  return WHOLE.test(context?.source ?? "") ? exact(BigInt(context?.source ?? "")) : value;
};

const BROWSER_KEEPS_DIGITS = JSON.parse("9007199254740993", withDigits) === 9007199254740993n;

/** The value of a JSON text; throws `SyntaxError` where it is none. */
export function readJson(text: string): unknown {
  if (!LONG.test(text)) return JSON.parse(text);
  // Many times as fast as the library.
  if (BROWSER_KEEPS_DIGITS) return JSON.parse(text, withDigits);
  return parse(text, undefined, {
    parseNumber: (digits) => (WHOLE.test(digits) ? exact(BigInt(digits)) : Number(digits)),
    onDuplicateKey: ({ newValue }) => newValue,
  });
}

/** A value as JSON text; `indent` as `JSON.stringify` takes it. */
export const writeJson = (value: unknown, indent?: number): string =>
  stringify(value, null, indent) ?? "null";

/** Whether a value is one that `readJson` can give. */
function isJson(value: unknown): value is Json {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "bigint":
      return true;
    case "number":
      return Number.isFinite(value);
    case "object":
      return value === null || Object.values(value).every(isJson);
    default:
      return false;
  }
}

/** Whatever `readJson` can give. A union of schemas costs many times as much: a file has thousands
 * of values. */
export const AnyJson: z.ZodType<Json> = z.custom<Json>(isJson);
