/** Below this zoom nodes are plain boxes. */
const FAR = 0.32;

export const isFar = (state: { transform: [number, number, number] }): boolean =>
  state.transform[2] < FAR;
