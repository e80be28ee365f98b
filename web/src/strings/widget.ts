/** Words of widgets. */

/** What can be uploaded. */
export type FileKind = "image" | "audio" | "video";
/** What people call it. */
export const FILES: Record<FileKind, string> = { image: "picture", audio: "sound", video: "video" };

/** English: what widgets say. */
export const widget = {
  filter: (label: string) => `Search ${label}`,
  none: "Nothing is called that",
  more: (number: number) => `and ${number} more`,
  notThere: (value: string) => `${value || "Nothing"} is not among the choices`,
  long: (length: number, seen: number) =>
    `${length.toLocaleString("en")} characters are too many to edit here; these are the first ${seen.toLocaleString("en")}.`,
  upload: (kind: FileKind) => `Upload a ${FILES[kind]}`,
  wrongFile: (name: string, kind: FileKind) => `${name} is no ${FILES[kind]}.`,
  notSent: (name: string, why: string) => `${name} was not uploaded: ${why}`,
  pick: (label: string) => `Pick ${label}`,
  tip: {
    optional: "may be left open",
    usually: (value: string) => `usually ${value.length > 40 ? `${value.slice(0, 40)}…` : value}`,
    between: (min: string, max: string) => `${min} to ${max}`,
    choices: (number: number) => (number === 1 ? "one choice" : `${number} choices`),
  },
  model: {
    here: (name: string) => `${name} is here now`,
    missing: (name: string) => (name ? `${name} is not here` : "There is no model here yet"),
    pull: "Pull",
    pullOf: (name: string) => `Pull ${name}`,
    title: "Fetch a model",
    address: "Address of the file",
    into: (folder: string, name: string) => `It is kept as models/${folder}/${name}.`,
    offered: (title: string, licence: string, size: string) =>
      `${title}, ${size}, licence ${licence}.`,
    unsafe: "Only safetensors and ONNX files are fetched: others can hold programs.",
    bytes: (bytes: number) =>
      bytes < 1e6
        ? `${Math.ceil(bytes / 1e3)} kB`
        : bytes < 1e9
          ? `${(bytes / 1e6).toFixed(0)} MB`
          : `${(bytes / 1e9).toFixed(1)} GB`,
    coming: (done: string, total: string, source: string) =>
      total ? `${done} of ${total} from ${source}` : `${done} from ${source}`,
    stop: (name: string) => `Stop pulling ${name}`,
    progress: (name: string) => `Pulling ${name}`,
    cancel: "Cancel",
  },
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
    zoomIn: "Zoom in (+)",
    zoomOut: "Zoom out (-)",
    fit: "Show all of it",
    canvas: "The picture under the mask: arrow keys move the brush, Space paints",
    cancel: "Cancel",
    save: "Use the mask",
    discard: "What you painted is not saved. Close it?",
    unreadable: "This picture cannot be shown; choose or upload another one.",
    hint: "What is painted is masked. [ and ] size the brush; arrow keys move it, Space paints, Shift and an arrow draws; the wheel zooms.",
    touch: "One finger paints, two zoom.",
  },
  recorder: {
    open: "Record a sound",
    title: "Record a sound",
    start: "Start recording",
    stop: "Stop recording",
    again: "Record again",
    level: "Level",
    decibels: (decibels: number) => `${Math.round(decibels)} dB`,
    time: (seconds: number) =>
      `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`,
    made: "The recording",
    listening: "Recording",
    heard: "Listen to it, use it, or record again.",
    hint: "The sound goes to the service and nowhere else.",
    cancel: "Cancel",
    use: "Use the recording",
    insecure: "Browsers let a page record over HTTPS, or from the machine it comes from.",
    refused: {
      NotAllowedError: "This page may not use the microphone: allow it in the browser.",
      NotFoundError: "There is no microphone.",
      NotReadableError: "The microphone cannot be used; another program may hold it.",
    } as Readonly<Record<string, string>>,
  },
  prompt: {
    count: (count: number, room: number) => `${count} / ${room}`,
    counted: (count: number, chunk: number, chunks: number) =>
      `${count} ${count === 1 ? "token" : "tokens"} in ${chunks === 1 ? "one chunk" : `${chunks} chunks`} of ${chunk}: the text encoder reads one chunk after the other`,
    weighs: (words: string, weight: number) => `${words} weighs ${weight}`,
  },
};
