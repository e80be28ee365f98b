/** Members of a JSON object by their types: undefined where one is of another type. */

import type { Option } from "../graph/kinds";
import type { Numeric } from "../graph/numbers";

/** The members of a JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** Whether a value is a JSON object. */
export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The members of an object; none where it is not one. */
export const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {});

export const textOf = (value: unknown): string | undefined =>
  typeof value === "string" ? value : undefined;

export const flagOf = (value: unknown): boolean | undefined =>
  typeof value === "boolean" ? value : undefined;

export const numberOf = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined;

export const numericOf = (value: unknown): Numeric | undefined =>
  typeof value === "bigint" ? value : numberOf(value);

/** A list of texts, and of nothing else. */
export const textsOf = (value: unknown): string[] | undefined =>
  Array.isArray(value) && value.every((one) => typeof one === "string") ? value : undefined;

/** Whether a value may be one of a choice. */
export const isOption = (value: unknown): value is Option =>
  typeof value === "string" || typeof value === "boolean" || numberOf(value) !== undefined;

/** The values of a choice. */
export const optionsOf = (value: unknown): Option[] | undefined =>
  Array.isArray(value) && value.every(isOption) ? value : undefined;
