import { ImageOff } from "lucide-react";
import { useState } from "react";
import { type File, viewAddress } from "../server/service";
import { t } from "../strings";

interface PictureProps {
  file: File;
  className?: string;
  /** "" where something beside it says the same. */
  alt: string;
  /** A smaller picture of it: "webp;60". */
  preview?: string;
  /** The longer side in pixels. */
  size?: number;
  lazy?: boolean;
  /** Told how large it is. */
  onPixels?(width: number, height: number): void;
}

/** A picture that a job made; a sign in its place where its file was deleted since. */
export function Picture({
  file,
  className = "",
  alt,
  preview,
  size,
  lazy,
  onPixels,
}: PictureProps) {
  const shown = viewAddress(file, preview);
  const [gone, setGone] = useState("");
  if (gone === shown) {
    const words = t.results.gone(file.filename);
    return (
      <span className={`${className} picture-gone`} role="img" aria-label={words} title={words}>
        <ImageOff size={16} aria-hidden="true" />
      </span>
    );
  }
  return (
    <img
      className={className || undefined}
      // A file that is gone is nothing, and no error in the browser's console.
      src={`${shown}${size ? `&size=${size}` : ""}&absent=empty`}
      alt={alt}
      loading={lazy ? "lazy" : undefined}
      decoding="async"
      draggable={false}
      onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) =>
        onPixels?.(naturalWidth, naturalHeight)
      }
      onError={() => setGone(shown)}
    />
  );
}
