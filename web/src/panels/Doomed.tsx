import { useGallery } from "../stores/gallery";
import { t } from "../strings";
import { useModal } from "./modal";
import { removeDoomed } from "./results";

/** Asks before files are deleted. */
export function Doomed() {
  const { doomed, doom } = useGallery();
  const modal = useModal(() => doom([]));
  return (
    <dialog {...modal} className="doomed" aria-label={t.results.removeTitle(doomed.length)}>
      <h2>{t.results.removeTitle(doomed.length)}</h2>
      <p>{doomed.map(({ file }) => file.filename).join(", ")}</p>
      <p>{t.results.removeWords}</p>
      <div className="doomed-row">
        <button type="button" className="quiet" onClick={() => doom([])}>
          {t.results.kept}
        </button>
        <button type="button" className="danger" onClick={() => void removeDoomed()}>
          {t.results.remove}
        </button>
      </div>
    </dialog>
  );
}
