import { useGallery } from "../stores/gallery";
import { t } from "../strings";
import { useModal } from "./modal";
import { deleteChosen } from "./results";

/** Asks before files are deleted. */
export function DeleteDialog() {
  const { toDelete, askToDelete } = useGallery();
  const modal = useModal(() => askToDelete([]));
  return (
    <dialog {...modal} className="doomed" aria-label={t.results.removeTitle(toDelete.length)}>
      <h2>{t.results.removeTitle(toDelete.length)}</h2>
      <p>{toDelete.map(({ file }) => file.filename).join(", ")}</p>
      <p>{t.results.removeWords}</p>
      <div className="doomed-row">
        <button type="button" className="quiet" onClick={() => askToDelete([])}>
          {t.results.kept}
        </button>
        <button type="button" className="danger" onClick={() => void deleteChosen()}>
          {t.results.remove}
        </button>
      </div>
    </dialog>
  );
}
