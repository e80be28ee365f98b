import { typeStyle } from "../canvas/colours";
import type { Box } from "../graph/model";

/** A node in small, coloured by its type. */
export type SketchBox = Box & { type: string };

/** A graph in small: its nodes as boxes. */
export function Sketch({ boxes }: { boxes: SketchBox[] }) {
  if (boxes.length === 0) return <div className="sketch" />;
  const left = Math.min(...boxes.map(({ x }) => x));
  const top = Math.min(...boxes.map(({ y }) => y));
  const right = Math.max(...boxes.map(({ x, width }) => x + width));
  const bottom = Math.max(...boxes.map(({ y, height }) => y + height));
  const view = [left - 40, top - 40, right - left + 80, bottom - top + 80].join(" ");
  return (
    <svg className="sketch" viewBox={view} aria-hidden="true">
      {boxes.map(({ x, y, width, height, type }) => (
        <g key={`${x},${y}`} style={typeStyle(type)}>
          <rect x={x} y={y} width={width} height={height} rx={14} />
          <rect x={x} y={y} width={width} height={30} rx={14} className="sketch-head" />
        </g>
      ))}
    </svg>
  );
}
