/** What is seen of the sheet, depending on how near it is. */

/** Below this zoom the sheet is painted: plain boxes and lines, since no word in it can be read. */
export const FAR = 0.4;

/** Below this one the ground has no dots: they would be as dense as words. */
const SMALL = 0.6;

/** So many nodes move as they are; more of them are painted while they move. */
export const MANY = 24;

interface Viewed {
  transform: [x: number, y: number, zoom: number];
}

/** Whether the sheet is seen from far away. */
export const isFar = ({ transform }: Viewed): boolean => transform[2] < FAR;
/** Whether the ground is seen without dots. */
export const isSmall = ({ transform }: Viewed): boolean => transform[2] < SMALL;
