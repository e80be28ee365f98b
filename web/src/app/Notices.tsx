import { X } from "lucide-react";
import { useUi } from "../stores/ui";
import { t } from "../strings";

/** What is said at the edge of the page, and what only screen readers say. */
export function Notices() {
  const { notices, announcement, dismiss } = useUi();
  return (
    <>
      <section className="notices" aria-label={t.messages}>
        {notices.map(({ id, text, kind }) => (
          <div key={id} className={`notice notice-${kind}`}>
            <span>{text}</span>
            <button type="button" aria-label={t.close} onClick={() => dismiss(id)}>
              <X size={14} />
            </button>
          </div>
        ))}
      </section>
      <div className="unseen" role="status" aria-live="polite">
        {announcement}
      </div>
    </>
  );
}
