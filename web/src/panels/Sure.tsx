import { useEffect, useState } from "react";

const PATIENCE = 4000;

/** A button that asks once more before it does what cannot be undone. */
export function Sure({ label, ask, act }: { label: string; ask: string; act: () => void }) {
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
      onBlur={() => setAsking(false)}
    >
      {asking ? ask : label}
    </button>
  );
}
