/** How loud a sound is over its time, for drawing it. */

const RATE = 8000;
/** Sounds of more bytes are drawn as a line: they would be unpacked as a whole. */
const LARGEST = 64 * 2 ** 20;

/** The greatest amplitude in each of `count` equal parts. */
export function peaksOf(samples: Float32Array, count: number): number[] {
  return Array.from({ length: count }, (_, part) => {
    const begin = Math.floor((part * samples.length) / count);
    const end = Math.max(begin + 1, Math.floor(((part + 1) * samples.length) / count));
    let most = 0;
    for (let at = begin; at < end && at < samples.length; at += 1) {
      most = Math.max(most, Math.abs(samples[at] ?? 0));
    }
    return most;
  });
}

/** The same of a sound that the service has; undefined where it cannot be read. The browser
 * unpacks it beside the page, at few samples a second. */
export async function fetchPeaks(
  address: string,
  count: number,
  signal: AbortSignal,
): Promise<number[] | undefined> {
  try {
    const answer = await fetch(address, { signal });
    if (!answer.ok || Number(answer.headers.get("Content-Length")) > LARGEST) return undefined;
    const context = new OfflineAudioContext(1, 1, RATE);
    const sound = await context.decodeAudioData(await answer.arrayBuffer());
    return peaksOf(sound.getChannelData(0), count);
  } catch {
    return undefined; // no sound, or nobody looks any more
  }
}
