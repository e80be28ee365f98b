import { lazy, Suspense } from "react";
import { useGallery } from "../stores/gallery";
import { useUi } from "../stores/ui";

const Viewer = lazy(() => import("../panels/Viewer").then(({ Viewer }) => ({ default: Viewer })));
const DeleteDialog = lazy(() =>
  import("../panels/DeleteDialog").then(({ DeleteDialog }) => ({ default: DeleteDialog })),
);

/** Results in full, and the question before they are deleted. */
export function Lightbox() {
  const lightbox = useUi((ui) => ui.lightbox);
  const toDelete = useGallery((gallery) => gallery.toDelete.length > 0);
  // Each waits for itself: what is there already keeps the focus.
  return (
    <>
      <Suspense>{lightbox && <Viewer lightbox={lightbox} />}</Suspense>
      <Suspense>{toDelete && <DeleteDialog />}</Suspense>
    </>
  );
}
