import type { Widget } from "../graph/kinds";
import { t } from "../strings";
import type { Editing } from "./editing";
import { PromptField } from "./PromptField";
import { tipped } from "./tip";

type TextWidget = Extract<Widget, { kind: "text" }>;

/** Browsers take seconds to lay out more than this; it is kept, and its beginning shown. */
const LONGEST = 200_000;
const SEEN = 5000;

/** Words: one line, or as many as are needed. */
export function TextField(
  props: Editing<string> & { widget: TextWidget; node: string; input: string },
) {
  const { label, tip, value, widget, change, done } = props;
  if (!widget.multiline) {
    return (
      <label className="field field-text nodrag" {...tipped(tip)}>
        <span className="field-label">{label}</span>
        <input
          aria-label={label}
          aria-description={tip.words || undefined}
          value={value}
          spellCheck={false}
          onChange={({ target }) => change(target.value)}
          onBlur={done}
          onKeyDown={(event) => {
            if (event.key === "Enter" || event.key === "Escape") event.currentTarget.blur();
            if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
          }}
        />
      </label>
    );
  }
  if (value.length > LONGEST) {
    return (
      <div className="field-area nodrag nowheel" {...tipped(tip)}>
        <textarea aria-label={label} rows={3} readOnly value={value.slice(0, SEEN)} />
        <p className="field-note">{t.widget.long(value.length, SEEN)}</p>
      </div>
    );
  }
  if (widget.prompt) return <PromptField {...props} />;
  return (
    <div className="field-area nodrag nowheel" {...tipped(tip)}>
      <textarea
        aria-label={label}
        aria-description={tip.words || undefined}
        placeholder={label}
        rows={3}
        value={value}
        onChange={({ target }) => change(target.value)}
        onBlur={done}
        onKeyDown={(event) => {
          if (event.key === "Escape") event.currentTarget.blur();
          if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
        }}
      />
    </div>
  );
}
