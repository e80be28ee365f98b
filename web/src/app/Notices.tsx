import { X } from "lucide-react";
import { useEffect } from "react";
import { useInTheWay } from "../panels/problem_rows";
import { activeTab, type Tab, useDocuments } from "../stores/documents";
import { useRun } from "../stores/run";
import { type Notice, useUi } from "../stores/ui";
import { t } from "../strings";

/** What is said at the edge of the page, and what only screen readers say. What is of a workflow is
 * seen with that alone. */
export function Notices() {
  const { notices, announcement, dismiss } = useUi();
  const tab = useDocuments(activeTab);
  const seen = notices.filter((notice) => notice.tab === undefined || notice.tab === tab?.id);
  return (
    <>
      <section className="notices" aria-label={t.messages}>
        {tab && <Refusal tab={tab} />}
        {seen.map(({ id, text, kind }) => (
          <Words key={id} text={text} kind={kind} close={() => dismiss(id)} />
        ))}
      </section>
      <div className="unseen" role="status" aria-live="polite">
        {announcement}
      </div>
    </>
  );
}

/** That a workflow was refused: while some of what is in the way is left, until it is closed. */
function Refusal({ tab }: { tab: Tab }) {
  const refusal = useRun((run) => run.refused[tab.id]);
  return refusal && !refusal.read ? <InTheWay tab={tab} partly={refusal.partly} /> : null;
}

function InTheWay({ tab, partly }: { tab: Tab; partly: boolean }) {
  const { nodes, problems } = useInTheWay(tab);
  const words = partly ? t.run.partly : t.run.notYet;
  const text = problems > 0 ? words(nodes, problems) : "";
  useEffect(() => useUi.getState().announce(text), [text]);
  if (!text) return null;
  return <Words text={text} kind="error" close={() => useRun.getState().read(tab.id)} />;
}

interface WordsProps extends Pick<Notice, "text" | "kind"> {
  close(): void;
}

function Words({ text, kind, close }: WordsProps) {
  return (
    <div className={`notice notice-${kind}`}>
      <span>{text}</span>
      <button type="button" aria-label={t.close} onClick={close}>
        <X size={14} />
      </button>
    </div>
  );
}
