import { ChevronDown } from "lucide-react";
import { type KeyboardEvent, useCallback, useRef, useState } from "react";
import { isElsewhere, isListed } from "../graph/file_names";
import type { Option, Widget } from "../graph/kinds";
import { t } from "../strings";
import type { Editing } from "./editing";
import { Options, type Row } from "./Options";
import { Popover } from "./Popover";
import { tipped } from "./tip";

type ChoiceWidget = Extract<Widget, { kind: "choice" }>;

interface ChoiceProps extends Editing<Option> {
  widget: ChoiceWidget;
  /** The options as they are shown in the list, where they are not mere words. */
  rows?: readonly Row[];
  opened?(): void;
}

/** One of some options, found by typing. */
export function ChoiceField(props: ChoiceProps) {
  const { label, tip, value, widget, rows, opened, change, done } = props;
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const close = useCallback(() => setOpen(false), []);
  const known =
    isListed(widget.options, value) || (widget.upload !== undefined && isElsewhere(String(value)));
  const step = (by: number): void => {
    const next = widget.options[widget.options.indexOf(value) + by];
    if (next !== undefined) change(next);
  };
  const show = (): void => {
    setOpen(true);
    opened?.();
  };
  const key = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown" && event.altKey) show();
    else if (event.key === "ArrowDown") step(1);
    else if (event.key === "ArrowUp") step(-1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        className={`field field-choice nodrag ${known ? "" : "field-wrong"}`}
        {...tipped(known ? tip : { ...tip, words: t.widget.notThere(String(value)) })}
        aria-description={tip.words || undefined}
        aria-haspopup="listbox"
        aria-expanded={open}
        onClick={() => (open ? close() : show())}
        onKeyDown={key}
      >
        <span className="field-label">{label}</span>
        <span className="field-value">{String(value)}</span>
        <ChevronDown size={13} aria-hidden="true" />
      </button>
      {open && (
        <Popover anchor={button.current} close={close}>
          <Options
            label={label}
            rows={rows ?? widget.options.map((option) => ({ option }))}
            value={value}
            choose={(option) => {
              change(option);
              done();
              close();
              button.current?.focus();
            }}
            cancel={() => {
              close();
              button.current?.focus();
            }}
          />
        </Popover>
      )}
    </>
  );
}
