/** The theme's colours for what is painted and not styled: read from a hidden element. */

import { hue } from "./colours";

export interface Inks {
  /** Of a box whose first output has this type. */
  fill(type: string): string;
  /** Of a link. */
  line(type: string): string;
  /** A colour of the theme: "accent", "line-strong". */
  of(name: string): string;
}

/** `probe` has the class "ink": its background is a box's, its colour a link's. */
export function inksOf(probe: HTMLElement): Inks {
  const read = new Map<string, { fill: string; line: string }>();
  const typed = (type: string): { fill: string; line: string } => {
    const found = read.get(type);
    if (found) return found;
    const own = hue(type);
    probe.style.setProperty("--hue", String(own ?? 0));
    probe.style.setProperty("--chroma", own === undefined ? "0" : "1");
    const { backgroundColor: fill, color: line } = getComputedStyle(probe);
    read.set(type, { fill, line });
    return { fill, line };
  };
  const theme = getComputedStyle(probe);
  return {
    fill: (type) => typed(type).fill,
    line: (type) => typed(type).line,
    of: (name) => theme.getPropertyValue(`--${name}`),
  };
}
