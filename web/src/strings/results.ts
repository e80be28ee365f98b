/** Words of the gallery. */

const UNITS = ["bytes", "kB", "MB", "GB"];

function size(bytes: number): string {
  let [value, unit] = [bytes, 0];
  for (; value >= 1000 && unit < UNITS.length - 1; unit += 1) value /= 1000;
  return `${value.toLocaleString("en", { maximumSignificantDigits: 3 })} ${UNITS[unit]}`;
}

/** English: what the gallery says. */
export const results = {
  empty: "What your graphs make will be shown here.",
  search: "Search the words of prompts",
  none: "Nothing was made from these words.",
  list: "What was made, newest first",
  kinds: {
    label: "Kind of result",
    all: "All",
    picture: "Pictures",
    sound: "Sounds",
    film: "Videos",
    other: "Others",
  },
  more: "Older ones",
  job: "This result",
  graph: "Open the graph of this",
  graphOf: (id: string) => `Result ${id}`,
  look: (name: string) => `Look at ${name}`,
  pick: (name: string) => `Select ${name}`,
  picked: (count: number) => `${count} selected`,
  unpick: "Select none",
  compare: "Compare",
  remove: "Delete",
  kept: "Keep",
  removeTitle: (count: number) => (count === 1 ? "Delete this file?" : `Delete ${count} files?`),
  removeWords:
    "It is deleted from the disk. A graph that made it can make it again; nothing else can.",
  removed: (name: string, more: number) =>
    more > 0 ? `${name} and ${more} more are deleted` : `${name} is deleted`,
  input: "Use as an input",
  noInput: (kind: string) => `The service has no node that loads a ${kind}.`,
  used: (name: string, title: string) => `${name} is in ${title}`,
  copy: "Copy the picture",
  copied: "The picture is in the clipboard",
  notCopied: "The browser lets no picture into the clipboard here; download it instead.",
  details: "Details",
  previous: "Previous",
  next: "Next",
  place: (at: number, of: number) => `${at} of ${of}`,
  unseen: "The browser cannot show this kind of file; download it.",
  facts: {
    pixels: "Pixels",
    size: "Size",
    made: "Made",
    took: "The job took",
    seed: "Seed",
    model: "Model",
  },
  size,
  pixels: (width: number, height: number) => `${width} × ${height}`,
  date: (at: number) =>
    new Date(at).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" }),
  prompt: "Made from",
  inputs: "Its inputs",
  values: "All values",
  compareInput: (name: string) => `Compare with ${name}`,
  compareBefore: "Compare with the run before",
  unknown:
    "What it was made from is not known any more: its job is forgotten, and it carries no graph.",
  gone: (name: string) => `${name} was deleted`,
  differs: "What differs",
  same: "Both were made from the same.",
  nothing: "nothing",
  left: "left",
  right: "right",
  onlyLeft: (title: string) => `Only the left one went through ${title}.`,
  onlyRight: (title: string) => `Only the right one went through ${title}.`,
  unknownOf: (name: string) => `What ${name} was made from is not known.`,
  slider: (left: string, right: string) =>
    `Left of the line ${left}, right of it ${right}; the arrow keys move it`,
  endCompare: "Look at one",
  play: (name: string) => `Play ${name}`,
  pause: (name: string) => `Pause ${name}`,
  position: (name: string) => `Position in ${name}`,
  time: (seconds: number) => {
    const whole = Math.floor(seconds);
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  },
};
