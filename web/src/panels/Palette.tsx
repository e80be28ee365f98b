import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from "react";
import { add } from "../canvas/actions";
import { typeStyle } from "../canvas/colours";
import type { NodeKind } from "../graph/kinds";
import { search, searchIds } from "../graph/search";
import { useCatalog } from "../stores/catalog";
import { type Palette as PaletteState, useUi } from "../stores/ui";
import { t } from "../strings";

const WIDTH = 420;
const HEIGHT = 420;
const MOST = 80;
const MOST_LACKING = 12;

/** The search for a node to add. */
export function Palette({ palette }: { palette: PaletteState }) {
  const catalog = useCatalog((state) => state.catalog);
  const close = () => useUi.getState().search(null);
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const id = useId();
  const found = useMemo(
    () => search(catalog, query, palette.loose).slice(0, MOST),
    [catalog, query, palette.loose],
  );
  const unsupported = useCatalog((state) => state.unsupported);
  const lacking = useMemo(
    () => (palette.loose ? [] : searchIds(unsupported, query).slice(0, MOST_LACKING)),
    [unsupported, query, palette.loose],
  );
  const listed = found.length + lacking.length > 0;
  const current = Math.min(at, found.length - 1);
  const kind = found[current];
  useEffect(() => {
    const outside = (event: PointerEvent): void => {
      if (!box.current?.contains(event.target as globalThis.Node)) useUi.getState().search(null);
    };
    document.addEventListener("pointerdown", outside, true);
    return () => document.removeEventListener("pointerdown", outside, true);
  }, []);

  const choose = (chosen: NodeKind): void => {
    close();
    const { place } = palette;
    const snapped = place && { x: Math.round(place.x / 10) * 10, y: Math.round(place.y / 10) * 10 };
    add(chosen.id, snapped, palette.loose);
  };
  const key = (event: KeyboardEvent): void => {
    event.stopPropagation();
    if (event.key === "ArrowDown") setAt(Math.min(current + 1, found.length - 1));
    else if (event.key === "ArrowUp") setAt(Math.max(current - 1, 0));
    else if (event.key === "Enter" && kind) choose(kind);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  };
  const left = Math.max(8, Math.min(palette.at.x - 30, window.innerWidth - WIDTH - 8));
  const top = Math.max(8, Math.min(palette.at.y - 20, window.innerHeight - HEIGHT - 8));
  return (
    <div
      ref={box}
      className="palette"
      style={{ left, top }}
      role="dialog"
      aria-label={t.commands.add}
    >
      <input
        // biome-ignore lint/a11y/noAutofocus: a person asked for this search
        autoFocus
        role="combobox"
        aria-expanded={listed}
        aria-controls={listed ? id : undefined}
        aria-activedescendant={kind ? `${id}-${current}` : undefined}
        aria-label={t.palette.label}
        placeholder={palette.loose ? t.palette.fitting(palette.loose.type) : t.palette.label}
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setAt(0);
        }}
        onKeyDown={key}
      />
      {!listed && <p className="options-none">{t.palette.none(query)}</p>}
      <div
        className="palette-list"
        role="listbox"
        id={id}
        aria-label={t.palette.label}
        hidden={!listed}
      >
        {found.map((one, position) => (
          <div
            key={one.id}
            id={`${id}-${position}`}
            role="option"
            tabIndex={-1}
            aria-selected={position === current}
            className={position === current ? "palette-row palette-at" : "palette-row"}
            ref={
              position === current ? (row) => row?.scrollIntoView({ block: "nearest" }) : undefined
            }
            onPointerMove={() => setAt(position)}
            onClick={() => choose(one)}
            onKeyDown={key}
          >
            <span className="dot" style={typeStyle(one.outputs[0]?.type ?? "*")} />
            <span className="palette-title">{one.title}</span>
            <span className="palette-category">{one.category}</span>
          </div>
        ))}
        {lacking.map((one) => (
          <div
            key={one}
            role="option"
            tabIndex={-1}
            aria-selected={false}
            aria-disabled="true"
            className="palette-row palette-lacking"
            title={t.palette.unsupportedWords}
          >
            <span className="palette-title">{one}</span>
            <span className="palette-category">{t.palette.unsupported}</span>
          </div>
        ))}
      </div>
      {kind && <KindWords kind={kind} />}
    </div>
  );
}

function KindWords({ kind }: { kind: NodeKind }) {
  const inputs = kind.inputs.filter((input) => !input.widget);
  return (
    <footer className="palette-words">
      <p>{kind.description || kind.id}</p>
      <p className="palette-types">
        {inputs.map(({ name, type }) => (
          <span key={name} className="type" style={typeStyle(type)}>
            {type}
          </span>
        ))}
        <span aria-hidden="true">→</span>
        {kind.outputs.map(({ name, type }) => (
          <span key={name} className="type" style={typeStyle(type)}>
            {type}
          </span>
        ))}
        {kind.shows && <span className="type">{t.palette.shows}</span>}
      </p>
    </footer>
  );
}
