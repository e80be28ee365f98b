/** The theme's colours for what is painted and not styled: read from a hidden element. */

import { hue } from "./colours";

/** Colours as a canvas takes them. */
export interface Inks {
  /** Of a box whose first output has this type. */
  fill(type: string): string;
  /** Of a node's header. */
  header(type: string): string;
  /** Of a link. */
  line(type: string): string;
  /** A colour of the theme: "accent", "line-strong". */
  of(name: string): string;
}

type Colours = Record<"fill" | "header" | "line", string>;

/** `probe` has the class "ink": its background is a box's, its border a header's, its colour a
 * link's. */
export function inksOf(probe: HTMLElement): Inks {
  const read = new Map<string, Colours>();
  const typed = (type: string): Colours => {
    const found = read.get(type);
    if (found) return found;
    const own = hue(type);
    probe.style.setProperty("--hue", String(own ?? 0));
    probe.style.setProperty("--chroma", own === undefined ? "0" : "1");
    const { backgroundColor: fill, borderTopColor: header, color: line } = getComputedStyle(probe);
    const colours = { fill, header, line };
    read.set(type, colours);
    return colours;
  };
  const theme = getComputedStyle(probe);
  return {
    fill: (type) => typed(type).fill,
    header: (type) => typed(type).header,
    line: (type) => typed(type).line,
    of: (name) => theme.getPropertyValue(`--${name}`),
  };
}
