/** Sound as a WAV file, which every program reads. */

const HEADER = 44;
const BYTES = 2;

/** One channel of samples from -1 to 1 as PCM of 16 bits. */
export function wav(parts: readonly Float32Array[], rate: number): Blob {
  const count = parts.reduce((sum, part) => sum + part.length, 0);
  const file = new DataView(new ArrayBuffer(HEADER + count * BYTES));
  const word = (at: number, text: string): void => {
    for (let sign = 0; sign < text.length; sign += 1)
      file.setUint8(at + sign, text.charCodeAt(sign));
  };
  word(0, "RIFF");
  file.setUint32(4, HEADER - 8 + count * BYTES, true);
  word(8, "WAVEfmt ");
  file.setUint32(16, 16, true);
  file.setUint16(20, 1, true); // PCM
  file.setUint16(22, 1, true); // channels
  file.setUint32(24, rate, true);
  file.setUint32(28, rate * BYTES, true);
  file.setUint16(32, BYTES, true);
  file.setUint16(34, BYTES * 8, true);
  word(36, "data");
  file.setUint32(40, count * BYTES, true);
  let at = HEADER;
  for (const part of parts) {
    for (const sample of part) {
      file.setInt16(at, Math.round(Math.max(-1, Math.min(1, sample)) * 0x7fff), true);
      at += BYTES;
    }
  }
  return new Blob([file.buffer], { type: "audio/wav" });
}
