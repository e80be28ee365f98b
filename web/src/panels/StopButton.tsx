import { ChevronDown, Square } from "lucide-react";
import { useRef, useState } from "react";
import { type Stopped, stop } from "../app/run";
import type { Tab } from "../stores/documents";
import { useRun } from "../stores/run";
import { t } from "../strings";
import { Popover } from "../widgets/Popover";

/** Stops what runs of a workflow; where more is under way, a menu beside it has the other choices. */
export function StopButton({ tab, large }: { tab: Tab; large?: boolean }) {
  const all = useRun(
    ({ list }) =>
      list.filter(({ workflow_id, status }) => workflow_id === tab.id && isOpen(status)).length,
  );
  const mine = useRun(({ list, own }) => {
    const ids = own();
    return list.filter(({ id, status }) => ids.has(id) && isOpen(status)).length;
  });
  const [menu, setMenu] = useState(false);
  const arrow = useRef<HTMLButtonElement>(null);
  const size = large ? "run-large" : "";
  const choose = (which: Stopped) => () => {
    setMenu(false);
    void stop(which);
  };
  return (
    <>
      <button
        type="button"
        className={`stop ${size}`}
        title={t.run.stop}
        onClick={() => void stop()}
      >
        <Square size={13} /> {t.commands.stop}
      </button>
      {(all > 1 || mine > all) && (
        <button
          ref={arrow}
          type="button"
          className={`stop stop-which ${size}`}
          aria-label={t.run.which}
          title={t.run.which}
          aria-expanded={menu}
          onClick={() => setMenu(!menu)}
        >
          <ChevronDown size={14} />
        </button>
      )}
      {menu && (
        <Popover anchor={arrow.current} close={() => setMenu(false)}>
          <div className="menu">
            <button type="button" onClick={choose("shown")}>
              {t.run.this}
            </button>
            <button type="button" onClick={choose("workflow")}>
              {t.run.all(all)}
            </button>
            <button type="button" onClick={choose("own")}>
              {t.run.mine}
            </button>
          </div>
        </Popover>
      )}
    </>
  );
}

const isOpen = (status: string): boolean => status === "pending" || status === "in_progress";
