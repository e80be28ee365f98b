import type { ReactNode } from "react";

interface IconButtonProps {
  /** What it does: its name, and its tip. */
  label: string;
  act(): void;
  /** Of one that stays down. */
  pressed?: boolean;
  disabled?: boolean;
  children: ReactNode;
}

/** A button that is a picture alone. */
export function IconButton({ label, act, pressed, disabled, children }: IconButtonProps) {
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={label}
      title={label}
      aria-pressed={pressed}
      disabled={disabled}
      onClick={act}
    >
      {children}
    </button>
  );
}
