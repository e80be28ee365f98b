import type { Widget } from "../graph/kinds";
import type { Editing } from "./Field";

type ToggleWidget = Extract<Widget, { kind: "toggle" }>;

/** On or off. */
export function ToggleField(props: Editing<boolean> & { widget: ToggleWidget }) {
  const { label, tooltip, value, widget, change, done } = props;
  const word = value ? widget.on : widget.off;
  return (
    <button
      type="button"
      role="switch"
      aria-checked={value}
      aria-label={label}
      className="field field-toggle nodrag"
      title={tooltip}
      onClick={() => {
        change(!value);
        done();
      }}
    >
      <span className="field-label">{label}</span>
      {word && <span className="field-word">{word}</span>}
      <span className="switch" />
    </button>
  );
}
