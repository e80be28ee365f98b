import { Upload } from "lucide-react";
import { type DragEvent, useRef, useState } from "react";
import type { Option, Widget } from "../graph/kinds";
import { upload as send, viewAddress } from "../server/service";
import { useCatalog } from "../stores/catalog";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { ChoiceField } from "./ChoiceField";
import type { Editing } from "./Field";

type ChoiceWidget = Extract<Widget, { kind: "choice" }>;
type FileProps = Editing<string> & { widget: ChoiceWidget; upload: "image" | "audio" };

/** A picture or a sound of the input folder: chosen, uploaded, dropped or pasted. */
export function FileField(props: FileProps) {
  const { label, tooltip, value, widget, upload, change, done } = props;
  const [busy, setBusy] = useState(false);
  const picker = useRef<HTMLInputElement>(null);
  const { say } = useUi.getState();

  const take = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    if (!file.type.startsWith(`${upload}/`)) {
      say(t.widget.wrongFile(file.name, upload), "error");
      return;
    }
    setBusy(true);
    try {
      const name = await send(file, file.name || `pasted.${file.type.split("/")[1]}`);
      await useCatalog.getState().load();
      change(name);
      done();
    } catch (error) {
      say(
        t.widget.notSent(file.name, String(error instanceof Error ? error.message : error)),
        "error",
      );
    } finally {
      setBusy(false);
    }
  };
  const drop = (event: DragEvent): void => {
    const [file] = event.dataTransfer.files;
    if (!file) return;
    event.preventDefault();
    event.stopPropagation();
    void take(file);
  };
  const choose = { label, tooltip, done, change: (option: Option) => change(String(option)) };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping has the button as its equal
    <div
      className="file nodrag"
      onDrop={drop}
      onDragOver={(event) => event.preventDefault()}
      onPaste={(event) => {
        const [file] = event.clipboardData.files;
        if (file) {
          event.preventDefault();
          event.stopPropagation();
          void take(file);
        }
      }}
    >
      <div className="file-row">
        <ChoiceField {...choose} widget={widget} value={value} />
        <button
          type="button"
          className="seed-button"
          aria-label={t.widget.upload(upload)}
          title={t.widget.upload(upload)}
          disabled={busy}
          onClick={() => picker.current?.click()}
        >
          <Upload size={14} />
        </button>
      </div>
      <input
        ref={picker}
        type="file"
        hidden
        accept={`${upload}/*`}
        onChange={(event) => {
          void take(event.target.files?.[0]);
          event.target.value = "";
        }}
      />
      {value && <Look name={value} upload={upload} />}
    </div>
  );
}

function Look({ name, upload }: { name: string; upload: "image" | "audio" }) {
  const slash = name.lastIndexOf("/");
  const file = {
    filename: name.slice(slash + 1),
    subfolder: name.slice(0, Math.max(0, slash)),
    type: "input",
  };
  if (upload === "audio") {
    // biome-ignore lint/a11y/useMediaCaption: a person's own recording
    return <audio controls preload="metadata" src={viewAddress(file)} />;
  }
  return (
    <img
      className="node-picture"
      src={viewAddress(file, "webp;80")}
      alt={name}
      draggable={false}
      onError={(event) => event.currentTarget.classList.add("broken")}
    />
  );
}
