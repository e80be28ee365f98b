/** The words of the page; one catalogue for each language. */

import { en } from "./en";

export type Strings = typeof en;

export const t: Strings = en;
