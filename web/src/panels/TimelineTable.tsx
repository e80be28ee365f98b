import { look } from "../canvas/look";
import type { Timeline } from "../run/timeline";
import { t } from "../strings";
import { running } from "../strings/running";
import type { Names } from "./names";

const w = running.timeline;

/** The same as the picture, to be read. */
export function TimelineTable({ shown, names }: { shown: Timeline; names: Names }) {
  const laneOf = new Map(
    shown.lanes.flatMap(({ name, rows }) => rows.flat().map((bar) => [bar.id, name] as const)),
  );
  const seconds = (ms: number): string => t.seconds(ms / 1000);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
    <section className="timeline-table" tabIndex={0} aria-label={w.table}>
      <table>
        <thead>
          <tr>
            {Object.values(w.columns).map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.bars.map((bar) => (
            <tr key={bar.id}>
              <th scope="row">
                <button type="button" disabled={!names(bar.id).here} onClick={() => look(bar.id)}>
                  {names(bar.id).title}
                </button>
              </th>
              <td>{w.lane(laneOf.get(bar.id) ?? "")}</td>
              <td>{seconds(bar.from)}</td>
              <td>{bar.loading > 0 ? seconds(bar.loading) : ""}</td>
              <td>{bar.state === "running" ? w.runs : seconds(bar.running)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
