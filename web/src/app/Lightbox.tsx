import { Download, X } from "lucide-react";
import { useEffect, useRef } from "react";
import { useUi } from "../stores/ui";
import { t } from "../strings";

/** One picture in full. */
export function Lightbox() {
  const lightbox = useUi((ui) => ui.lightbox);
  const set = useUi((ui) => ui.set);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (lightbox) dialog.current?.showModal();
    else dialog.current?.close();
  }, [lightbox]);
  const close = () => set({ lightbox: null });
  return (
    <dialog ref={dialog} className="lightbox" aria-label={lightbox?.name} onClose={close}>
      {lightbox && (
        <>
          <header>
            <span>{lightbox.name}</span>
            <a
              href={lightbox.source}
              download={lightbox.name}
              className="icon-button"
              aria-label={t.download}
              title={t.download}
            >
              <Download size={16} />
            </a>
            <button type="button" className="icon-button" aria-label={t.close} onClick={close}>
              <X size={16} />
            </button>
          </header>
          <img src={lightbox.source} alt={lightbox.name} />
        </>
      )}
    </dialog>
  );
}
