import type { Tip } from "./tip";

/** What every widget gets. */
export interface Editing<T> {
  label: string;
  tip: Tip;
  value: T;
  /** Edits in a row are one step, until `done`. */
  change(value: T): void;
  done(): void;
}
