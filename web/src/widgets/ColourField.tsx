import { useState } from "react";
import { t } from "../strings";
import type { Editing } from "./editing";
import { tipped } from "./tip";

const HEX = /^#?([0-9a-f]{6})$/i;

/** A colour as "#rrggbb": picked, or typed. */
export function ColourField({ label, tip, value, change, done }: Editing<string>) {
  const [text, setText] = useState<string | null>(null);
  const commit = (): void => {
    const typed = HEX.exec(text?.trim() ?? "");
    if (typed) change(`#${typed[1]?.toLowerCase()}`);
    setText(null);
    done();
  };
  return (
    <div className="field field-colour nodrag" {...tipped(tip)}>
      <span className="field-label">{label}</span>
      <input
        className="field-hex"
        aria-label={label}
        aria-description={tip.words || undefined}
        spellCheck={false}
        value={text ?? value}
        onChange={({ target }) => setText(target.value)}
        onBlur={commit}
        onKeyDown={(event) => {
          if (event.key === "Enter" || event.key === "Escape") event.currentTarget.blur();
          event.stopPropagation();
        }}
      />
      <input
        type="color"
        aria-label={t.widget.pick(label)}
        value={HEX.test(value) ? value : "#000000"}
        onChange={({ target }) => change(target.value)}
        onBlur={done}
      />
    </div>
  );
}
