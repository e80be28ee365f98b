/** English: runs, the queue, versions. */

const DEVICES: Record<string, string> = { cpu: "CPU" };

const roughly = (seconds: number): string =>
  seconds < 60
    ? `${Math.ceil(seconds)} s`
    : seconds < 3600
      ? `${Math.round(seconds / 60)} min`
      : `${(seconds / 3600).toFixed(1)} h`;

/** English: what the queue, the timeline and the versions say. */
export const running = {
  queue: {
    running: "Running",
    waiting: "Waiting",
    ended: "Ended",
    until: (seconds: number) => `done in about ${roughly(seconds)}`,
    clear: "Cancel all",
    sureClear: (number: number) => `Really cancel ${number.toLocaleString("en")}?`,
    forget: "Forget all",
    sureForget: "Really forget? Files stay",
    more: (number: number) => `${number.toLocaleString("en")} more wait: show some of them`,
    front: "Move to the front",
    timeline: "Show the timeline",
    open: "Open the graph of this job",
    next: "next",
    place: (place: number) => `${place}.`,
    sofar: roughly,
    left: (sofar: number, left: number) => `${roughly(sofar)}, about ${roughly(left)} left`,
  },
  versions: {
    list: "Versions",
    name: "Name of this version",
    keep: "Keep",
    kept: (name: string) => `${name} is kept`,
    taken: (name: string) => `There is a version called ${name} already; choose another name.`,
    with: "Compare with",
    now: "what is open now",
    empty: "Each run is a version. Give a name to those that you want to keep.",
    run: (time: string) => `Run of ${time}`,
    compare: (name: string) => `Compare ${name}`,
    restore: (name: string) => `Restore ${name}`,
    restored: (name: string) => `Restore ${name}`,
    said: (name: string) => `${name} is restored; undo brings back what was here`,
    forget: (name: string) => `Delete ${name}`,
    sureForget: "Really delete?",
    changes: "Changes",
    since: (name: string, number: number) =>
      number === 0
        ? `The same as ${name}`
        : `${number} ${number === 1 ? "change" : "changes"} since ${name}`,
    stop: "Stop comparing",
    gone: "No node of this workflow leads there any more",
  },
  timeline: {
    title: "Timeline",
    label: "Run timeline",
    none: "This workflow has not run yet.",
    nothing: "Nothing had to run: all results were cached.",
    away: "This run is not known any more.",
    lane: (name: string) => {
      const [, number, device = ""] = name.match(/^lane (\d+) (.*)$/) ?? [];
      if (name === "quick") return "Quick nodes";
      if (number === undefined) return "Outside of the lanes";
      return `${DEVICES[device] ?? device.toUpperCase()} · lane ${Number(number) + 1}`;
    },
    summary: (ran: number, cached: number, time: string) =>
      [`${ran} ran`, cached > 0 && `${cached} cached`, time].filter(Boolean).join(" · "),
    bar: (title: string, took: string, lane: string, from: string) =>
      `${title}: ${took}, in ${lane}, from ${from} on`,
    loaded: (took: string, loading: string) => `${took}, ${loading} of loading before`,
    runs: "runs",
    cached: "From the cache",
    more: (number: number) => `and ${number} more`,
    in: "Zoom in",
    out: "Zoom out",
    all: "The whole run",
    table: "As a table",
    picture: "As a picture",
    columns: { node: "Node", lane: "Lane", began: "Began", loading: "Loading", took: "Took" },
    hint: "Arrow keys go from node to node, Enter shows the node, plus and minus zoom",
  },
};
