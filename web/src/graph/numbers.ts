/** Numbers of widgets: whole ones keep every digit, also beyond 2^53. */

/** A number; a bigint where a number would lose digits. */
export type Numeric = number | bigint;

/** What a number may be. */
export interface Limits {
  whole: boolean;
  min: Numeric;
  max: Numeric;
  step: number;
}

/** How far one step leads. */
export type Pace = "usual" | "coarse" | "fine";

/** Binary fractions make noise behind this many decimals. */
const DECIMALS = 9;

/** A whole number in its plainest form: bigint only where a number would lose digits. */
export function exact(value: bigint): Numeric {
  const plain = Number(value);
  return Number.isSafeInteger(plain) ? plain : value;
}

/** Whether a value is a number. */
export const isNumeric = (value: unknown): value is Numeric =>
  typeof value === "number" || typeof value === "bigint";

/** What a widget's value is as a number; NaN where it is none. */
export function numeric(value: unknown): Numeric {
  if (isNumeric(value)) return value;
  if (typeof value !== "string" || value.trim() === "") return Number.NaN;
  return written(value) ?? Number.NaN;
}

/** A number within its limits, whole where it has to be. */
export function limited(value: Numeric, limits: Limits): Numeric {
  const inside = value < limits.min ? limits.min : value > limits.max ? limits.max : value;
  if (typeof inside === "bigint") return inside;
  return limits.whole ? Math.round(inside) : Number(inside.toFixed(DECIMALS));
}

/** So many steps further, within the limits. */
export function stepped(value: Numeric, steps: number, pace: Pace, limits: Limits): Numeric {
  const fine = limits.whole ? 1 : limits.step / 10;
  const by = steps * { usual: limits.step, coarse: limits.step * 10, fine }[pace];
  if (!limits.whole) return limited(Number(value) + by, limits);
  if (typeof value === "number" && !Number.isFinite(value)) return limited(0, limits);
  const whole = typeof value === "bigint" ? value : BigInt(Math.round(value));
  return limited(exact(whole + BigInt(Math.round(by))), limits);
}

/** What was typed, within the limits; undefined where it is no number. */
export function typed(text: string, limits: Limits): Numeric | undefined {
  const value = written(text);
  return value === undefined ? undefined : limited(value, limits);
}

function written(text: string): Numeric | undefined {
  const plain = text.trim().replace(",", ".");
  if (/^[-+]?\d+$/.test(plain)) return exact(BigInt(plain.replace("+", "")));
  const value = plain === "" ? Number.NaN : Number(plain);
  return Number.isFinite(value) ? value : undefined;
}

/** A number as its widget shows it: with as many decimals as a step has. */
export function shown(value: Numeric, { whole, step }: Limits): string {
  const plain = String(value);
  if (whole || typeof value === "bigint" || Number.isNaN(value)) return plain;
  const digits = Math.min(4, Math.max(1, Math.ceil(-Math.log10(step))));
  return (plain.split(".")[1]?.length ?? 0) > digits ? plain : value.toFixed(digits);
}
