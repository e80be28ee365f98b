import { type RefObject, useLayoutEffect, useRef } from "react";

/** What a dialog needs that is open for as long as it is there; at its end the focus goes back to
 * where it was. */
export function useModal(onClose: () => void): {
  ref: RefObject<HTMLDialogElement | null>;
  onClose(): void;
} {
  const ref = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return {
    ref,
    onClose() {
      if (ref.current && !ref.current.open) onClose();
    },
  };
}
