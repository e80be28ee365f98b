import { ChevronDown } from "lucide-react";
import { type KeyboardEvent, useCallback, useId, useMemo, useRef, useState } from "react";
import type { Option, Widget } from "../graph/kinds";
import { t } from "../strings";
import type { Editing } from "./Field";
import { Popover } from "./Popover";

type ChoiceWidget = Extract<Widget, { kind: "choice" }>;

/** One of some options, found by typing. */
export function ChoiceField(props: Editing<Option> & { widget: ChoiceWidget }) {
  const { label, tooltip, value, widget, change, done } = props;
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const close = useCallback(() => setOpen(false), []);
  const known = widget.options.includes(value);
  const step = (by: number): void => {
    const next = widget.options[widget.options.indexOf(value) + by];
    if (next !== undefined) change(next);
  };
  const key = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown" && event.altKey) setOpen(true);
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
        title={known ? tooltip : t.widget.notThere(String(value))}
        aria-haspopup="listbox"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
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
            options={widget.options}
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

interface OptionsProps {
  label: string;
  options: readonly Option[];
  value: Option;
  choose(option: Option): void;
  cancel(): void;
}

const MOST = 200;

export function Options({ label, options, value, choose, cancel }: OptionsProps) {
  const [query, setQuery] = useState("");
  const id = useId();
  const found = useMemo(() => {
    const words = query.toLowerCase().split(/\s+/);
    return options.filter((option) =>
      words.every((word) => String(option).toLowerCase().includes(word)),
    );
  }, [options, query]);
  const [at, setAt] = useState(() => Math.max(0, options.indexOf(value)));
  const current = Math.min(at, found.length - 1);
  const key = (event: KeyboardEvent): void => {
    event.stopPropagation();
    const chosen = found[current];
    if (event.key === "ArrowDown") setAt(Math.min(current + 1, found.length - 1));
    else if (event.key === "ArrowUp") setAt(Math.max(current - 1, 0));
    else if (event.key === "Home") setAt(0);
    else if (event.key === "End") setAt(found.length - 1);
    else if (event.key === "Enter" && chosen !== undefined) choose(chosen);
    else if (event.key === "Escape" || event.key === "Tab") cancel();
    else return;
    event.preventDefault();
  };
  return (
    <div className="options">
      <input
        // biome-ignore lint/a11y/noAutofocus: a person asked for this list
        autoFocus
        role="combobox"
        aria-expanded="true"
        aria-controls={id}
        aria-activedescendant={found.length > 0 ? `${id}-${current}` : undefined}
        aria-label={t.widget.filter(label)}
        placeholder={t.widget.filter(label)}
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setAt(0);
        }}
        onKeyDown={key}
      />
      <div role="listbox" id={id} aria-label={label} className="options-list">
        {found.slice(0, MOST).map((option, position) => (
          <div
            key={String(option)}
            id={`${id}-${position}`}
            role="option"
            tabIndex={-1}
            aria-selected={option === value}
            className={position === current ? "option option-at" : "option"}
            ref={
              position === current ? (row) => row?.scrollIntoView({ block: "nearest" }) : undefined
            }
            onPointerMove={() => setAt(position)}
            onPointerDown={(event) => {
              event.preventDefault();
              choose(option);
            }}
          >
            {String(option)}
          </div>
        ))}
        {found.length === 0 && <p className="options-none">{t.widget.none}</p>}
        {found.length > MOST && (
          <p className="options-none">{t.widget.more(found.length - MOST)}</p>
        )}
      </div>
    </div>
  );
}
