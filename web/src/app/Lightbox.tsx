import { lazy, Suspense } from "react";
import { useGallery } from "../stores/gallery";
import { useUi } from "../stores/ui";

const Viewer = lazy(() => import("../panels/Viewer").then(({ Viewer }) => ({ default: Viewer })));
const Doomed = lazy(() => import("../panels/Doomed").then(({ Doomed }) => ({ default: Doomed })));

/** Results in full, and the question before they are deleted. */
export function Lightbox() {
  const lightbox = useUi((ui) => ui.lightbox);
  const doomed = useGallery((gallery) => gallery.doomed.length > 0);
  // Each waits for itself: what is there already keeps the focus.
  return (
    <>
      <Suspense>{lightbox && <Viewer lightbox={lightbox} />}</Suspense>
      <Suspense>{doomed && <Doomed />}</Suspense>
    </>
  );
}
