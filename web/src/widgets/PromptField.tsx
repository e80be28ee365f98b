import { type KeyboardEvent, useEffect, useMemo, useState } from "react";
import { encoderOf } from "../graph/encoder";
import { sheetOf } from "../graph/model";
import { variants } from "../graph/variants";
import { type Piece, pieces, weighed } from "../graph/weights";
import { type Count, countTokens } from "../server/service";
import { catalogNow } from "../stores/catalog";
import { useTab } from "../stores/documents";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import type { Editing } from "./editing";
import { tipped } from "./tip";

const STEP = 0.05;
/** Longer texts are neither marked nor counted. */
const LONGEST = 20_000;
/** Milliseconds without a key before tokens are counted. */
const PAUSE = 300;

/** A prompt: what weighs more or less is marked behind the words, and its tokens are counted. */
export function PromptField(props: Editing<string> & { node: string; input: string }) {
  const { label, tip, value, node, input, change, done } = props;
  const encoder = useTab((tab) => {
    const workflow = tab.history.present;
    const here = sheetOf(workflow, tab.sheet).nodes[node];
    return here && encoderOf(workflow, { node: here, path: tab.path }, input, catalogNow());
  }, undefined);
  const short = value.length <= LONGEST;
  const key = (event: KeyboardEvent<HTMLTextAreaElement>): void => {
    if (event.key === "Escape") event.currentTarget.blur();
    const up = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    const held = event.ctrlKey || event.metaKey;
    if (!held) event.stopPropagation();
    if (!held || !up || encoder === undefined) return;
    event.preventDefault();
    weigh(event.currentTarget, up * STEP);
  };
  return (
    <div className="field-area nodrag nowheel" {...tipped(tip)}>
      <div className="prompt">
        <Marks text={value} weights={encoder !== undefined} />
        <textarea
          aria-label={label}
          aria-description={tip.words || undefined}
          placeholder={label}
          rows={1}
          value={value}
          onChange={({ target }) => change(target.value)}
          onBlur={done}
          onKeyDown={key}
        />
      </div>
      {short && encoder !== undefined && <Tokens text={value} checkpoint={encoder} />}
    </div>
  );
}

/** The weight of what is selected changed, as if it were typed, so that the browser's own undo
 * knows of it. */
function weigh(area: HTMLTextAreaElement, step: number): void {
  const { selectionStart: start, selectionEnd: end, value } = area;
  const made = weighed(value, { start, end }, step);
  if (!made) return;
  area.setSelectionRange(made.replaced.start, made.replaced.end);
  document.execCommand("insertText", false, made.by);
  area.setSelectionRange(made.selection.start, made.selection.end);
  const words = area.value.slice(made.selection.start, made.selection.end);
  const [piece] = pieces(area.value).filter(({ start }) => start === made.selection.start);
  useUi.getState().announce(t.widget.prompt.weighs(words, piece?.weight ?? 1));
}

/** The same text below the one that is written, unseen but for its marks. It is as high as the
 * text, and so the box around both scrolls the one with the other. */
function Marks({ text, weights }: { text: string; weights: boolean }) {
  const parts = useMemo(() => marked(text, weights), [text, weights]);
  return (
    <div className="prompt-marks" aria-hidden="true">
      {parts.map(({ start, end, weight, kind }) => (
        <span key={start} className={`prompt-${kind}`} data-weight={strength(weight)}>
          {text.slice(start, end)}
        </span>
      ))}
      {"\u200b"}
    </div>
  );
}

function marked(text: string, weights: boolean): Piece[] {
  if (text.length > LONGEST) return [{ start: 0, end: text.length, weight: 1, kind: "words" }];
  const read: Piece[] = weights
    ? pieces(text)
    : [{ start: 0, end: text.length, weight: 1, kind: "words" }];
  const cuts = variants(text);
  return read.flatMap((piece) => {
    const inside = cuts.flatMap(({ start, end }): Piece[] => {
      const [from, to] = [Math.max(start, piece.start), Math.min(end, piece.end)];
      return to > from ? [{ ...piece, start: from, end: to, kind: "variant" }] : [];
    });
    const found: Piece[] = [];
    let at = piece.start;
    for (const cut of inside) {
      if (cut.start > at) found.push({ ...piece, start: at, end: cut.start });
      found.push(cut);
      at = cut.end;
    }
    return at < piece.end ? [...found, { ...piece, start: at }] : found;
  });
}

/** How strongly a weight is marked: from -3, far less than 1, to 3, far more. */
function strength(weight: number): number {
  const steps = Math.ceil(Math.abs(weight - 1) / 0.2 - 1e-9);
  return Math.sign(weight - 1) * Math.min(3, steps);
}

function Tokens({ text, checkpoint }: { text: string; checkpoint: string }) {
  const [count, setCount] = useState<Count | null>(null);
  useEffect(() => {
    const given_up = new AbortController();
    const timer = window.setTimeout(() => {
      countTokens(text, checkpoint || undefined, given_up.signal)
        .then(setCount)
        // It is a hint: without the service, or for a model that is missing, there is none.
        .catch(() => setCount(null));
    }, PAUSE);
    return () => {
      window.clearTimeout(timer);
      given_up.abort();
    };
  }, [text, checkpoint]);
  if (!count) return <p className="prompt-count">&nbsp;</p>;
  const { count: tokens, chunk, chunks } = count;
  return (
    <p className="prompt-count" title={t.widget.prompt.counted(tokens, chunk, chunks)}>
      {t.widget.prompt.count(tokens, chunk * chunks)}
    </p>
  );
}
