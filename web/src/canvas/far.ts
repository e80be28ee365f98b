/** Below this zoom the sheet is painted: plain boxes and lines, since no word in it can be read. */
const FAR = 0.4;

export const isFar = (state: { transform: [number, number, number] }): boolean =>
  state.transform[2] < FAR;
