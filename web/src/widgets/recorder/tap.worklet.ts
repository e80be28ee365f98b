/** Hands on what a microphone hears, from the browser's thread for sound. */

// Of that thread's own names, which the page's types do not have.
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: unknown): void;

class Tap extends AudioWorkletProcessor {
  process([channels]: Float32Array[][]): boolean {
    const [first] = channels ?? [];
    if (first) {
      const part = first.slice();
      this.port.postMessage(part, [part.buffer]);
    }
    return true;
  }
}

registerProcessor("tap", Tap);
