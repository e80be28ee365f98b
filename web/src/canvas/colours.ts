/** Each type of socket has a hue of its own; types nobody knows get one from their name. */

import type { CSSProperties } from "react";

const HUES: Record<string, number> = {
  MODEL: 290,
  CLIP: 85,
  VAE: 15,
  CONDITIONING: 50,
  LATENT: 340,
  IMAGE: 250,
  MASK: 150,
  AUDIO: 195,
  VOICE_MODEL: 310,
  STRING: 120,
  INT: 225,
  FLOAT: 210,
  BOOLEAN: 35,
  COMBO: 270,
  VIDEO: 270,
};

/** The hue of a type; undefined for one that stands for any. */
export function hue(type: string): number | undefined {
  if (type === "*" || type === "") return undefined;
  const [first = type] = type.split(",");
  const known = HUES[first];
  if (known !== undefined) return known;
  let sum = 7;
  for (const letter of first) sum = (sum * 31 + letter.charCodeAt(0)) % 360;
  return sum;
}

/** Custom properties for an element in the colour of a type. */
export function typeStyle(type: string): CSSProperties {
  const found = hue(type);
  const style = found === undefined ? { "--chroma": 0, "--hue": 0 } : { "--hue": found };
  return style as CSSProperties;
}
