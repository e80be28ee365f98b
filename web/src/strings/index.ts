/** The words of the page; one catalogue for each language. */

import { en } from "./en";

/** What every language has. */
export type Strings = typeof en;

/** The words of the page. */
export const t: Strings = en;
