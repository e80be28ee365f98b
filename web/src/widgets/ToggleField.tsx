import type { Widget } from "../graph/kinds";
import type { Editing } from "./editing";
import { tipped } from "./tip";

type ToggleWidget = Extract<Widget, { kind: "toggle" }>;

/** On or off. */
export function ToggleField(props: Editing<boolean> & { widget: ToggleWidget }) {
  const { label, tip, value, widget, change, done } = props;
  const word = value ? widget.on : widget.off;
  return (
    <button
      type="button"
      role="switch"
      aria-checked={value}
      aria-label={label}
      aria-description={tip.words || undefined}
      className="field field-toggle nodrag"
      {...tipped(tip)}
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
