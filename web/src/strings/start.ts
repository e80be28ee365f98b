/** Words of the start page. */

const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];

/** English: what the start page says. */
export const start = {
  title: "Make pictures and voices",
  words:
    "Connect nodes, press run, watch it happen. Everything stays on this machine, and what you made can be opened again as the graph that made it.",
  demo: "Run the demo",
  demoWords: "The demo: a red apple, and a voice that says so",
  empty: "Empty graph",
  open: "Open a file",
  recent: "Go on with",
  saved: "Saved",
  bundled: "Ready to run",
  filter: "Filter the workflows",
  all: "All",
  categories: {
    picture: "Pictures",
    voice: "Voices",
    compare: "Comparisons",
    blocks: "Building blocks",
  } as Record<string, string>,
  none: "No workflow is like that.",
  found: (number: number) => `${number} ${number === 1 ? "workflow" : "workflows"}`,
  asForm: (title: string) => `Open ${title} as a form`,
  nothingNeeded: "No model",
  missing: "Not here yet",
  missingHint: (what: string) => `This machine has no ${what} yet.`,
  time: (seconds: number) =>
    seconds < 4 ? "A moment" : seconds < 12 ? "Seconds" : "Half a minute",
  when: (milliseconds: number) => {
    const seconds = milliseconds / 1000;
    const [unit, size] = UNITS.find(([, one]) => seconds >= one) ?? ["second", 1];
    return unit === "second" ? "just now" : RELATIVE.format(-Math.floor(seconds / size), unit);
  },
};
