import { type ReactNode, useEffect, useState } from "react";

const PATIENCE = 4000;

/** A button that asks once more before it does what cannot be undone. */
export function ConfirmButton(props: {
  label: string;
  ask: string;
  act: () => void;
  children?: ReactNode;
}) {
  const { label, ask, act, children } = props;
  const [asking, setAsking] = useState(false);
  useEffect(() => {
    if (!asking) return;
    const timer = window.setTimeout(() => setAsking(false), PATIENCE);
    return () => window.clearTimeout(timer);
  }, [asking]);
  const press = (): void => {
    setAsking(!asking);
    if (asking) act();
  };
  return (
    <button
      type="button"
      className={asking ? "sure sure-asking" : "sure"}
      onClick={press}
      aria-label={children && !asking ? label : undefined}
      title={children ? label : undefined}
      onBlur={() => setAsking(false)}
    >
      {asking ? ask : (children ?? label)}
    </button>
  );
}
