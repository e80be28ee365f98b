import type { Widget } from "../graph/kinds";
import type { Editing } from "./Field";

type TextWidget = Extract<Widget, { kind: "text" }>;

/** Words: one line, or as many as are needed. */
export function TextField(props: Editing<string> & { widget: TextWidget }) {
  const { label, tooltip, value, widget, change, done } = props;
  if (!widget.multiline) {
    return (
      <label className="field field-text nodrag" title={tooltip}>
        <span className="field-label">{label}</span>
        <input
          aria-label={label}
          value={value}
          spellCheck={false}
          onChange={({ target }) => change(target.value)}
          onBlur={done}
          onKeyDown={(event) => {
            if (event.key === "Enter" || event.key === "Escape") event.currentTarget.blur();
            event.stopPropagation();
          }}
        />
      </label>
    );
  }
  return (
    <div className="field-area nodrag nowheel" title={tooltip}>
      <textarea
        aria-label={label}
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
