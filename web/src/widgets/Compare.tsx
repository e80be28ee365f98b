import { useState } from "react";
import { t } from "../strings";

/** A picture on one side of the slider. */
export interface Side {
  address: string;
  name: string;
  /** What is different of it, in a few words. */
  words?: string | undefined;
}

/** Two pictures, one over the other, parted by a line that can be moved. */
export function Compare({ left, right }: { left: Side; right: Side }) {
  const [part, setPart] = useState(50);
  return (
    <div className="compare nodrag">
      <img src={right.address} alt={right.name} draggable={false} />
      <img
        className="compare-over"
        src={left.address}
        alt={left.name}
        draggable={false}
        style={{ clipPath: `inset(0 ${100 - part}% 0 0)` }}
      />
      <div className="compare-line" style={{ left: `${part}%` }} aria-hidden="true" />
      <Name side={left} place="left" />
      <Name side={right} place="right" />
      <input
        type="range"
        min={0}
        max={100}
        step={1}
        value={part}
        aria-label={t.results.slider(left.name, right.name)}
        onChange={(event) => setPart(Number(event.target.value))}
        onKeyDown={(event) => event.stopPropagation()}
      />
    </div>
  );
}

function Name({ side, place }: { side: Side; place: "left" | "right" }) {
  return (
    <span className={`compare-name compare-${place}`}>
      {side.name}
      {side.words && <strong>{side.words}</strong>}
    </span>
  );
}
