/** Undo and redo over whole values: snapshots share what they have in common. */

/** A state, and how it came to be. */
export interface Step<T> {
  value: T;
  /** What was done to come here, in words. */
  label: string;
}

/** A document with what it was and what was undone. */
export interface History<T> {
  past: readonly Step<T>[];
  present: T;
  label: string;
  future: readonly Step<T>[];
  /** Edits of one kind in a row, such as typing, are undone as one. */
  merge: string | null;
}

/** Older steps are forgotten. */
export const MOST_STEPS = 300;

/** The history of a document to which nothing happened yet. */
export function begin<T>(value: T): History<T> {
  return { past: [], present: value, label: "", future: [], merge: null };
}

/** A further step; a value that is the same makes none. */
export function commit<T>(
  history: History<T>,
  value: T,
  label: string,
  merge: string | null = null,
): History<T> {
  if (value === history.present) return history;
  if (merge !== null && merge === history.merge) {
    return { ...history, present: value, future: [] };
  }
  const past = [...history.past, { value: history.present, label: history.label }];
  return { past: past.slice(-MOST_STEPS), present: value, label, future: [], merge };
}

/** One step back; itself where there is none. */
export function undo<T>(history: History<T>): History<T> {
  const last = history.past.at(-1);
  if (!last) return history;
  return {
    past: history.past.slice(0, -1),
    present: last.value,
    label: last.label,
    future: [{ value: history.present, label: history.label }, ...history.future],
    merge: null,
  };
}

/** One step forward again; itself where there is none. */
export function redo<T>(history: History<T>): History<T> {
  const [next, ...future] = history.future;
  if (!next) return history;
  const past = [...history.past, { value: history.present, label: history.label }];
  return { past, present: next.value, label: next.label, future, merge: null };
}

/** Ends a row of merged edits: the next one is a step of its own. */
export function settle<T>(history: History<T>): History<T> {
  return history.merge === null ? history : { ...history, merge: null };
}
