import { type KeyboardEvent, useEffect, useRef } from "react";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { COMMANDS, type Command } from "./commands";
import { keyText } from "./Help";

const WIDTH = 280;
const ROW = 29;

/** What can be done with what was clicked. */
export function ContextMenu() {
  const menu = useUi((ui) => ui.menu);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!menu) return;
    const before = document.activeElement;
    box.current?.querySelector("button")?.focus();
    const outside = (event: PointerEvent): void => {
      if (!box.current?.contains(event.target as globalThis.Node)) close();
    };
    document.addEventListener("pointerdown", outside, true);
    return () => {
      document.removeEventListener("pointerdown", outside, true);
      if (before instanceof HTMLElement) before.focus();
    };
  }, [menu]);
  if (!menu) return null;
  const shown = COMMANDS.filter(
    ({ menu: where, fits }) => (where === menu.of || where === "both") && (fits?.() ?? true),
  );
  const left = Math.min(menu.at.x, window.innerWidth - WIDTH - 8);
  const top = Math.max(8, Math.min(menu.at.y, window.innerHeight - shown.length * ROW - 20));
  const choose = (command: Command): void => {
    close();
    command.run();
  };
  return (
    <div
      ref={box}
      role="menu"
      aria-label={t.menu.node}
      className="popover menu context"
      style={{ left, top }}
      onKeyDown={onKey}
    >
      {shown.map((command) => (
        <button type="button" role="menuitem" key={command.label} onClick={() => choose(command)}>
          <span>{command.label}</span>
          {command.keys[0] && <span className="menu-keys">{keyText(command.keys[0])}</span>}
        </button>
      ))}
    </div>
  );
}

const close = (): void => useUi.getState().set({ menu: null });

function onKey(event: KeyboardEvent<HTMLElement>): void {
  const items = [...event.currentTarget.querySelectorAll("button")];
  const at = items.indexOf(document.activeElement as HTMLButtonElement);
  const steps: Record<string, number> = {
    ArrowDown: (at + 1) % items.length,
    ArrowUp: (at - 1 + items.length) % items.length,
    Home: 0,
    End: items.length - 1,
  };
  const next = steps[event.key];
  if (next !== undefined) items[next]?.focus();
  else if (event.key === "Escape" || event.key === "Tab") close();
  else return;
  event.preventDefault();
  event.stopPropagation();
}
