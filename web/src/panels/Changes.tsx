import { X } from "lucide-react";
import { lookInto } from "../canvas/look";
import type { Change } from "../graph/diff";
import { titleOf } from "../graph/kinds";
import { sheetOf, type Workflow } from "../graph/model";
import { useCatalog } from "../stores/catalog";
import { type Compared, useChanges, useComparison } from "../stores/comparison";
import type { Tab } from "../stores/documents";
import { useUi } from "../stores/ui";
import { changeText, sign } from "../strings/changes";
import { running } from "../strings/running";
import { IconButton } from "../widgets/IconButton";

const w = running.versions;

/** What is different from a version, as sentences; each leads to its node. */
export function Changes({ tab, compared }: { tab: Tab; compared: Compared }) {
  const changes = useChanges(tab, compared);
  const catalog = useCatalog((state) => state.catalog);
  const now = tab.history.present;
  const nameIn = (sheet: string) => (id: string) => {
    const find = (workflow: Workflow) => sheetOf(workflow, sheet).nodes[id];
    const [old, current] = [find(compared.before), find(now)];
    if (current) return titleOf(now, current, catalog);
    return old ? titleOf(compared.before, old, catalog) : id;
  };
  return (
    <section className="changes" aria-label={w.changes}>
      <header className="changes-header">
        <h3>{w.since(compared.name, changes.length)}</h3>
        <IconButton label={w.stop} act={() => useComparison.getState().stop()}>
          <X size={15} />
        </IconButton>
      </header>
      <ul className="changes-list">
        {changes.map((change) => {
          const text = changeText(change, nameIn(change.sheet));
          return (
            <li key={`${change.sheet} ${change.kind} ${text}`}>
              <button type="button" onClick={() => show(tab, change)}>
                <span className="changes-sign" aria-hidden="true">
                  {sign(change)}
                </span>
                <span>{text}</span>
              </button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** Looks at what a change is about, as far as it is still there. */
function show(tab: Tab, change: Change): void {
  const workflow = tab.history.present;
  const { nodes } = sheetOf(workflow, change.sheet);
  const about =
    "node" in change ? [change.node] : "link" in change ? [change.link.from, change.link.to] : [];
  const there = about.filter((id) => nodes[id]);
  if (!lookInto(change.sheet, there)) useUi.getState().say(w.gone);
}
