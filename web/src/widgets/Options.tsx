import { type KeyboardEvent, useId, useMemo, useState } from "react";
import type { Option } from "../graph/kinds";
import { t } from "../strings";

/** One of the options, and how it is shown. */
export interface Row {
  option: Option;
  /** The heading that it stands below; "" for none. */
  group?: string;
  words?: string;
  detail?: string;
  /** The address of a picture of it. */
  picture?: string;
}

interface OptionsProps {
  label: string;
  /** Those of a group one after the other. */
  rows: readonly Row[];
  value: Option;
  choose(option: Option): void;
  cancel(): void;
}

const MOST = 200;

/** A list to choose from, filtered by typing. */
export function Options({ label, rows, value, choose, cancel }: OptionsProps) {
  const [query, setQuery] = useState("");
  const id = useId();
  const found = useMemo(() => {
    const words = query.toLowerCase().split(/\s+/);
    return rows.filter(({ option }) =>
      words.every((word) => String(option).toLowerCase().includes(word)),
    );
  }, [rows, query]);
  const [at, setAt] = useState(() =>
    Math.max(
      0,
      rows.findIndex(({ option }) => option === value),
    ),
  );
  const last = Math.min(found.length, MOST) - 1;
  const current = Math.max(0, Math.min(at, last));
  const key = (event: KeyboardEvent): void => {
    event.stopPropagation();
    const chosen = found[current];
    if (event.key === "ArrowDown") setAt(Math.min(current + 1, last));
    else if (event.key === "ArrowUp") setAt(Math.max(current - 1, 0));
    else if (event.key === "PageDown") setAt(Math.min(current + 10, last));
    else if (event.key === "PageUp") setAt(Math.max(current - 10, 0));
    else if (event.key === "Home") setAt(0);
    else if (event.key === "End") setAt(last);
    else if (event.key === "Enter" && chosen) choose(chosen.option);
    else if (event.key === "Escape" || event.key === "Tab") cancel();
    else return;
    event.preventDefault();
  };
  const shown = found.slice(0, MOST);
  const pictures = shown.some(({ picture }) => picture);
  const groups = [...new Set(shown.map(({ group = "" }) => group))];
  const row = (one: Row) => {
    const position = shown.indexOf(one);
    return (
      <div
        key={String(one.option)}
        id={`${id}-${position}`}
        role="option"
        tabIndex={-1}
        aria-selected={one.option === value}
        className={position === current ? "option option-at" : "option"}
        ref={position === current ? (box) => box?.scrollIntoView({ block: "nearest" }) : undefined}
        onPointerMove={() => setAt(position)}
        onPointerDown={(event) => {
          event.preventDefault();
          choose(one.option);
        }}
      >
        {one.picture ? (
          <img className="option-picture" src={one.picture} alt="" loading="lazy" />
        ) : (
          pictures && <span className="option-picture" />
        )}
        <span className="option-words">{one.words ?? String(one.option)}</span>
        {one.detail && <span className="option-detail">{one.detail}</span>}
      </div>
    );
  };
  return (
    <div className="options">
      <input
        // biome-ignore lint/a11y/noAutofocus: a person asked for this list
        autoFocus
        role="combobox"
        aria-expanded={found.length > 0}
        aria-controls={found.length > 0 ? id : undefined}
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
      <div className="options-list">
        <div role="listbox" id={id} aria-label={label} hidden={found.length === 0}>
          {groups.map((group) => {
            const inside = shown.filter((one) => (one.group ?? "") === group);
            if (!group) return inside.map(row);
            return (
              // biome-ignore lint/a11y/useSemanticElements: a listbox may have nothing but these
              <div key={group} role="group" aria-label={group}>
                <p className="options-group" aria-hidden="true">
                  {group}
                </p>
                {inside.map(row)}
              </div>
            );
          })}
        </div>
        {found.length === 0 && <p className="options-none">{t.widget.none}</p>}
        {found.length > MOST && (
          <p className="options-none">{t.widget.more(found.length - MOST)}</p>
        )}
      </div>
    </div>
  );
}
