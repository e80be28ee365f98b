import type { Editing } from "./Field";

/** A colour as "#rrggbb". */
export function ColourField({ label, tooltip, value, change, done }: Editing<string>) {
  return (
    <label className="field field-colour nodrag" title={tooltip}>
      <span className="field-label">{label}</span>
      <span className="field-word">{value}</span>
      <input
        type="color"
        aria-label={label}
        value={/^#[0-9a-f]{6}$/i.test(value) ? value : "#000000"}
        onChange={({ target }) => change(target.value)}
        onBlur={done}
      />
    </label>
  );
}
