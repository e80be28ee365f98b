import { X } from "lucide-react";
import { useEffect, useRef } from "react";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { IconButton } from "../widgets/IconButton";
import { COMMANDS } from "./commands";

const MAC = navigator.platform.startsWith("Mac");

/** Keys of a command as they stand on this machine's keyboard. */
export const keyText = (keys: string): string =>
  keys
    .replace("Mod", MAC ? "⌘" : "Ctrl")
    .replace("Escape", "Esc")
    .replaceAll("+", " ")
    .trim() || "+";

/** All commands with their keys. */
export function Help() {
  const open = useUi((ui) => ui.help);
  const set = useUi((ui) => ui.set);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  const close = () => set({ help: false });
  const groups = Object.entries(t.commandGroups);
  return (
    <dialog ref={dialog} className="help" aria-label={t.commands.help} onClose={close}>
      <header>
        <h2>{t.commands.help}</h2>
        <IconButton label={t.close} act={close}>
          <X size={16} />
        </IconButton>
      </header>
      <div className="help-groups">
        {groups.map(([group, title]) => (
          <section key={group}>
            <h3>{title}</h3>
            <dl>
              {COMMANDS.filter((command) => command.group === group).map(({ label, keys }) => (
                <div key={label}>
                  <dt>{label}</dt>
                  <dd>
                    {keys.map((one) => (
                      <kbd key={one}>{keyText(one)}</kbd>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
        <section>
          <h3>{t.pointer.title}</h3>
          <ul>
            {t.pointer.hints.map((hint) => (
              <li key={hint}>{hint}</li>
            ))}
          </ul>
        </section>
      </div>
    </dialog>
  );
}
