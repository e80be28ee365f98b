/** English. */

import type { Numeric } from "../graph/numbers";
import { form } from "./form";
import { results } from "./results";
import { start } from "./start";
import { FILES, type FileKind, widget } from "./widget";

const count = (number: number, one: string, many: string): string =>
  `${number} ${number === 1 ? one : many}`;

/** Nodes with problems, and how many of those where some have several. */
const troubled = (nodes: number, problems: number): string =>
  [
    count(nodes, "node has a problem", "nodes have problems"),
    problems > nodes && `${problems} in all`,
  ]
    .filter(Boolean)
    .join(", ");

/** All words, in English. */
export const en = {
  product: "Soundstage",
  untitled: "Untitled",
  close: "Close",
  messages: "Messages",
  download: "Download",
  clipboard: "The clipboard",
  note: "Note",
  notePlaceholder: "Write something for whoever reads this graph",
  group: "Group",
  groupTitle: "Title of the group",
  waiting: "Waiting for the service",
  dropHint: "Drop a workflow, or a picture, sound or video that was made by one, to open its graph",
  tooLarge: (name: string) =>
    `${name} is too large to be read: over 1 GB. Open the workflow's own file instead.`,
  queuePaused: (reason: string) => `The queue is paused: ${reason}.`,
  notTaken: (notes: string[]) => `Not everything could be taken over: ${notes.join(" ")}`,
  nodes: (number: number) => count(number, "node", "nodes"),
  seconds: (seconds: number) =>
    seconds < 0.095
      ? `${Math.round(seconds * 1000)} ms`
      : seconds < 60
        ? `${seconds.toFixed(1)} s`
        : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`,
  elapsed: (seconds: number) =>
    seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`,
  clock: (seconds: number) =>
    `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`,
  saved: (name: string) => `${name} is saved`,
  undo: (what: string) => (what ? `Undo: ${what}` : "Undo"),
  redo: (what: string) => (what ? `Redo: ${what}` : "Redo"),
  connection: {
    lost: "No connection to the service; trying again",
    wait: "Connecting",
  },
  theme: {
    system: "Colours as the system has them",
    light: "Light colours",
    dark: "Dark colours",
  },
  tabs: {
    label: "Open workflows",
    start: "Start page",
    close: (name: string) => `Close ${name}`,
    name: "Name of the workflow",
    hint: "Double-click to rename",
    dirty: "Changed since it was saved",
  },
  menu: {
    label: "More",
    node: "What to do with it",
    download: "Download as a workflow file",
    downloadApi: "Download as a prompt (API format)",
  },
  start,
  commandGroups: { run: "Run", edit: "Edit", view: "View", file: "File" },
  commands: {
    run: "Run",
    runFirst: "Run before all that wait",
    stop: "Stop",
    add: "Add a node",
    undo: "Undo",
    redo: "Redo",
    duplicate: "Duplicate",
    remove: "Delete",
    selectAll: "Select all",
    mute: "Mute, or run again",
    bypass: "Bypass, or run again",
    collapse: "Collapse or expand",
    group: "Group",
    arrange: "Arrange",
    fold: "Convert to a subgraph",
    unfold: "Unpack a subgraph",
    alignLeft: "Align left edges",
    alignTop: "Align upper edges",
    columns: "Space out side by side",
    rows: "Space out one below the other",
    copy: "Copy",
    fit: "Show the selection, or everything",
    zoomIn: "Zoom in",
    zoomOut: "Zoom out",
    outline: "Outline",
    problems: "Problems",
    queue: "Queue",
    results: "Results",
    versions: "Versions",
    timeline: "Timeline of the run",
    leave: "Close, deselect, leave a subgraph",
    help: "Keys and hints",
    new: "New workflow",
    open: "Open a file",
    save: "Save",
  },
  pointer: {
    title: "Pointer",
    hints: [
      "Double-click on the canvas: add a node",
      "Drag a link into empty space: add a node that fits",
      "Drag a link onto a node: into the first input that fits",
      "Double-click on a link: add a reroute",
      "Drag on a number: change it; with Shift ten times as fast, with Alt finely",
      "Ctrl and drag on the canvas: select; Shift and click: select more",
      "Copy and paste: nodes are text, also for other tabs and mails",
      "Drop a picture, sound or video that was made here: its graph opens",
    ],
  },
  modes: { run: "Runs", muted: "Muted", bypassed: "Bypassed" },
  edits: {
    move: "Move",
    resize: "Resize",
    add: (title: string) => `Add ${title}`,
    remove: (number: number) => `Delete ${count(number, "thing", "things")}`,
    paste: "Paste",
    duplicate: "Duplicate",
    connect: "Link",
    disconnect: "Unlink",
    reroute: "Reroute a link",
    collapse: "Collapse or expand",
    arrange: "Arrange",
    align: "Align",
    fold: "Convert to a subgraph",
    unfold: "Unpack a subgraph",
    group: "Group",
    rename: "Rename",
    value: (input: string) => `Set ${input}`,
  },
  said: {
    added: (what: string) => `${what} added`,
    closed: (name: string) => `${name} is closed`,
    removed: (number: number) => `${count(number, "thing", "things")} deleted`,
  },
  refused: {
    type: (received: string, expected: string) => `${received} does not fit: it takes ${expected}`,
    circle: (through: string) => `That link would close a cycle through ${through}`,
    itself: "A node cannot be linked to itself",
    missing: "This input or output does not exist any more",
    noInput: (type: string) => `No free input of this node takes ${type}`,
  },
  problems: {
    nothing: "No problems: this graph can run.",
    remark: "Warning:",
    remarks: "Warnings",
    unknown: (type: string) =>
      /^workflow[>/]/.test(type)
        ? `This file does not have the group ${type}; open one that has it, or delete the node.`
        : `The service has no node of the type ${type}; install its pack.`,
    unsupported: (type: string) =>
      `${type} is a node of ComfyUI that is not supported yet; use another one.`,
    missing: (input: string) => `${input} is missing: link something to it.`,
    noFile: (input: string, kind: FileKind = "image") =>
      `${input} is missing: choose or upload a ${FILES[kind]}.`,
    file: (input: string, value: string, kind: FileKind = "image") =>
      `${input}: ${value} is not here; upload it, or choose another ${FILES[kind]}.`,
    model: (input: string, value: string) =>
      `${input}: the model ${value} is not here; pull it, or choose another one.`,
    option: (input: string, value: string) =>
      `${input}: there is no ${value || "such choice"}; choose another one.`,
    range: (input: string, value: Numeric, min: Numeric, max: Numeric) =>
      `${input}: ${value} is not between ${min} and ${max}.`,
    number: (input: string) => `${input} is no number.`,
  },
  node: {
    unknown: "The service does not know this type of node. It is kept as it is.",
    unsupported: "This node of ComfyUI is not supported yet. It is kept as it is.",
    fold: (title: string) => `Collapse or expand ${title}`,
    enterHint: "Double-click looks inside.",
    enter: (title: string) => `Look inside of ${title}`,
    title: "Title of the node",
    cached: "cached",
    running: "running",
    preview: "Preview of the picture so far",
    look: (name: string) => `Look at ${name} in full`,
  },
  speech: {
    label: "Speech so far",
    play: "Go on playing",
    pause: "Pause",
    heard: "Position",
    made: "The speech",
  },
  subgraph: {
    inputs: "Inputs",
    outputs: "Outputs",
    name: "Subgraph",
    trail: "Where you are",
    further: "link for one more",
    socketName: (name: string) => `Name of ${name}`,
    up: (name: string) => `Move ${name} up`,
    down: (name: string) => `Move ${name} down`,
    remove: (name: string) => `Remove ${name}`,
  },
  canvas: {
    label: "Graph",
    minimap: "Map of the graph",
    link: (from: string, to: string) => `Link from ${from} to ${to}`,
    aria: {
      "node.a11yDescription.default":
        "Enter selects the node, the arrow keys move it. The outline (O) edits it.",
      "node.a11yDescription.keyboardDisabled": "Enter selects the node.",
      "edge.a11yDescription.default": "Enter selects the link, Delete removes it.",
    },
  },
  view: { in: "Zoom in", out: "Zoom out", fit: "Show everything" },
  seed: {
    draw: "A new number now",
    after: (what: string) => `After each run: ${what}`,
    fixed: "fixed",
    randomize: "random",
    increment: "plus one",
    decrement: "minus one",
  },
  widget,
  palette: {
    label: "Search nodes",
    fitting: (type: string) => `Search nodes for ${type}`,
    none: (query: string) => `No node is called "${query}"`,
    unsupported: "not supported yet",
    unsupportedWords: "ComfyUI has this node; it is not supported here yet.",
    shows: "result",
  },
  panels: {
    outline: "Outline",
    problems: "Problems",
    queue: "Queue",
    results: "Results",
    versions: "Versions",
  },
  outline: {
    empty: "This graph is empty. Press A to add a node.",
    search: "Search the nodes of this graph",
    none: (words: string) => `No node of this graph is called "${words}".`,
    title: "Title",
    mode: "State",
    nothing: "nothing",
  },
  form,
  queue: {
    button: (remaining: number) => (remaining > 0 ? `Queue: ${remaining}` : "Queue"),
    empty: "Nothing runs or waits.",
    job: (id: string) => `Job ${id}`,
    cancel: "Cancel",
    states: {
      pending: "waiting",
      in_progress: "running",
      completed: "done",
      failed: "failed",
      cancelled: "cancelled",
    },
  },
  results,
  run: {
    hint: "Run (Ctrl Enter); with Shift before all that wait",
    queued: "Queued",
    nothingShown: "Nothing here shows or saves a result yet: add a node such as Preview Image.",
    cancelled: "Cancelled",
    away: "The service does not answer. Is it running?",
    fault: (what: string) => `Something went wrong here: ${what}`,
    stopped: (ran: number, waited: number, run: number, wait: number) => {
      const done = [
        ran > 0 && `${count(ran, "run", "runs")} stopped`,
        waited > 0 && `${count(waited, "waiting run", "waiting runs")} cancelled`,
      ].filter(Boolean);
      const left = [
        run > 0 && count(run, "runs on", "run on"),
        wait > 0 && count(wait, "waits", "wait"),
      ].filter(Boolean);
      return [done.join(" and ") || "Nothing ran", ...left].join(", ");
    },
    stop: "Stop what runs of this workflow",
    which: "Which runs",
    this: "This run",
    all: (number: number) => `All of this workflow (${number})`,
    mine: "Everything I queued",
    notYet: (nodes: number, problems: number) => `It cannot run yet: ${troubled(nodes, problems)}.`,
    partly: (nodes: number, problems: number) =>
      `It runs, but what depends on some nodes is left out: ${troubled(nodes, problems)}.`,
  },
};
