/** English: what widgets say. */

export const widget = {
  filter: (label: string) => `Search ${label}`,
  none: "Nothing is called that",
  more: (number: number) => `and ${number} more`,
  notThere: (value: string) => `${value || "Nothing"} is not among the choices`,
  long: (length: number, seen: number) =>
    `${length.toLocaleString("en")} characters are too many to edit here; these are the first ${seen.toLocaleString("en")}.`,
  upload: (kind: string) => `Upload ${kind === "image" ? "a picture" : "a sound"}`,
  wrongFile: (name: string, kind: string) =>
    `${name} is no ${kind === "image" ? "picture" : "sound"}.`,
  notSent: (name: string, why: string) => `${name} was not uploaded: ${why}`,
  prompt: {
    count: (count: number, room: number) => `${count} / ${room}`,
    counted: (count: number, chunk: number, chunks: number) =>
      `${count} ${count === 1 ? "token" : "tokens"} in ${chunks === 1 ? "one chunk" : `${chunks} chunks`} of ${chunk}: the text encoder reads one chunk after the other`,
    weighs: (words: string, weight: number) => `${words} weighs ${weight}`,
  },
};
