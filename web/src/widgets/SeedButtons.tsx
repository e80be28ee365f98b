import { ArrowDown, ArrowUp, Dices, Lock, Shuffle } from "lucide-react";
import { newSeed } from "../graph/after_run";
import { setAfter, setValue } from "../graph/edits";
import type { Widget } from "../graph/kinds";
import type { AfterRun } from "../graph/model";
import { useDocuments } from "../stores/documents";
import { t } from "../strings";

type NumberWidget = Extract<Widget, { kind: "number" }>;

const NEXT: Record<AfterRun, AfterRun> = {
  fixed: "randomize",
  randomize: "increment",
  increment: "decrement",
  decrement: "fixed",
};
const ICONS = { fixed: Lock, randomize: Shuffle, increment: ArrowUp, decrement: ArrowDown };

interface SeedProps {
  node: string;
  input: string;
  widget: NumberWidget;
  after: AfterRun;
}

/** A new number now, and what happens to it after each run. */
export function SeedButtons({ node, input, widget, after }: SeedProps) {
  const { editSheet } = useDocuments.getState();
  const Icon = ICONS[after];
  const draw = () => {
    const value = newSeed(widget, Math.random);
    editSheet(t.edits.value(input), (sheet) => setValue(sheet, node, input, value));
  };
  const turn = () =>
    editSheet(t.edits.value(input), (sheet) => setAfter(sheet, node, input, NEXT[after]));
  return (
    <>
      <button
        type="button"
        className="seed-button nodrag"
        title={t.seed.draw}
        aria-label={t.seed.draw}
        onClick={draw}
      >
        <Dices size={14} />
      </button>
      <button
        type="button"
        className={`seed-button nodrag ${after === "fixed" ? "" : "seed-button-on"}`}
        title={t.seed.after(t.seed[after])}
        aria-label={t.seed.after(t.seed[after])}
        onClick={turn}
      >
        <Icon size={13} />
      </button>
    </>
  );
}
