/** Words of the form of a workflow. */

export const form = {
  asks: "What to make",
  settings: "Settings",
  progress: "Progress",
  show: "Show as a form",
  graph: "Show as a graph",
  link: "Copy a link to this form",
  copied: "The link is copied",
  inAddress: "The address of this page is the link.",
  taken: (name: string) =>
    `There is another workflow called ${name} already; give this one another name first.`,
  gone: (name: string) =>
    `There is no workflow called ${name} here any more: it was renamed or deleted.`,
  waits: "Waits for its turn",
  at: (title: string, value: number, max: number) =>
    max > 1 ? `${title}: ${value} of ${max}` : title,
  nothing: "What it makes will be shown here.",
  nothingAsked: "This workflow asks for nothing. Run it as it is.",
  earlier: "Earlier results",
  earlierOne: (when: string) => `Result of ${when}`,
  newest: "Back to the newest",
  share: (name: string) => `Share ${name}`,
  save: (name: string) => `Save ${name}`,
  edit: "Edit this form",
  done: "Done",
  title: "Title",
  words: "What it does, in a sentence",
  name: (was: string) => `Name of ${was}`,
  where: (name: string) => `Where ${name} stands`,
  up: (name: string) => `${name} further up`,
  down: (name: string) => `${name} further down`,
  places: { first: "Asked for", settings: "Under settings", hidden: "Not shown" },
  automatic: "As the graph has it",
  edits: { form: "Edit the form", words: "Describe the workflow" },
};
