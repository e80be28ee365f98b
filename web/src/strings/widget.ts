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
  mask: {
    open: "Paint a mask",
    title: "Mask",
    of: (name: string) => `Mask of ${name}`,
    tools: "Tools",
    paint: "Paint (X)",
    erase: "Erase (X)",
    size: "Size",
    hardness: "Hardness",
    pixels: (pixels: number) => `${pixels} px`,
    percent: (part: number) => `${part} %`,
    sized: (pixels: number) => `The brush is ${pixels} pixels wide`,
    undo: "Undo",
    redo: "Redo",
    invert: "Invert (I)",
    clear: "Clear",
    zoomIn: "Closer (+)",
    zoomOut: "Further away (-)",
    fit: "Show all of it",
    canvas: "The picture under the mask: arrow keys move the brush, Space paints",
    cancel: "Cancel",
    save: "Use the mask",
    discard: "What you painted is not saved. Close it?",
    unreadable: "This picture cannot be shown; choose or upload another one.",
    hint: "What is painted is masked. [ and ] size the brush; arrow keys move it, Space paints, Shift and an arrow draws; the wheel zooms.",
  },
  prompt: {
    count: (count: number, room: number) => `${count} / ${room}`,
    counted: (count: number, chunk: number, chunks: number) =>
      `${count} ${count === 1 ? "token" : "tokens"} in ${chunks === 1 ? "one chunk" : `${chunks} chunks`} of ${chunk}: the text encoder reads one chunk after the other`,
    weighs: (words: string, weight: number) => `${words} weighs ${weight}`,
  },
};
