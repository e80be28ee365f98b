/** What the microphone hears, as samples. */

import tap from "./tap.worklet.ts?worker&url";

/** A recording that goes on. */
export interface Take {
  /** Samples in a second. */
  rate: number;
  /** Lets go of the microphone. */
  end(): void;
}

/** As it is: the graph may want to work on it itself. */
const PLAIN = {
  channelCount: 1,
  echoCancellation: false,
  noiseSuppression: false,
  autoGainControl: false,
};

/** Listens until it is ended; throws `DOMException` where nobody may, or nothing can, listen. */
export async function listen(hear: (part: Float32Array) => void): Promise<Take> {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: PLAIN });
  const context = new AudioContext();
  const end = (): void => {
    for (const track of stream.getTracks()) track.stop();
    void context.close();
  };
  try {
    await context.audioWorklet.addModule(tap);
    const node = new AudioWorkletNode(context, "tap");
    node.port.onmessage = ({ data }: MessageEvent<Float32Array>) => hear(data);
    // It gives silence; but what leads nowhere is not asked for sound.
    context.createMediaStreamSource(stream).connect(node).connect(context.destination);
    await context.resume();
  } catch (error) {
    end();
    throw error;
  }
  return { rate: context.sampleRate, end };
}

/** Whether pages of this address may record: browsers want HTTPS, or this machine. */
export const canListen = (): boolean =>
  window.isSecureContext && navigator.mediaDevices !== undefined;
