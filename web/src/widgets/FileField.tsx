import { Brush, Mic, Upload } from "lucide-react";
import { type DragEvent, lazy, Suspense, useRef, useState } from "react";
import { isElsewhere, isListed } from "../graph/file_names";
import type { Option, Widget } from "../graph/kinds";
import { fileNamed, viewAddress } from "../server/service";
import { t } from "../strings";
import { ChoiceField } from "./ChoiceField";
import type { Editing } from "./editing";
import { Sound } from "./Sound";
import { type FileKind, give, named } from "./upload";

const Recorder = lazy(() => import("./recorder/Recorder"));
const MaskPainter = lazy(() => import("./mask/MaskPainter"));

type ChoiceWidget = Extract<Widget, { kind: "choice" }>;

interface FileProps extends Editing<string> {
  node: string;
  input: string;
  widget: ChoiceWidget;
  upload: FileKind;
}

/** A picture, a sound or a film of the input folder: chosen, uploaded, dropped, pasted; masked. */
export function FileField(props: FileProps) {
  const { node, input, label, tip, value, widget, upload, change, done } = props;
  const [busy, setBusy] = useState(false);
  const [tool, setTool] = useState<"mask" | "recorder" | null>(null);
  // What the service does not list need not be asked for.
  const there = isListed(widget.options, value) || isElsewhere(value);
  const picker = useRef<HTMLInputElement>(null);

  const take = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    setBusy(true);
    await give(node, input, upload, file);
    setBusy(false);
  };
  const drop = (event: DragEvent): void => {
    const [file] = event.dataTransfer.files;
    if (!file) return;
    event.preventDefault();
    void take(file);
  };
  const choose = { label, tip, done, change: (option: Option) => change(String(option)) };
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
        {upload === "image" && there && (
          <button
            type="button"
            className="seed-button"
            aria-label={t.widget.mask.open}
            title={t.widget.mask.open}
            onClick={() => setTool("mask")}
          >
            <Brush size={14} />
          </button>
        )}
        {upload === "audio" && (
          <button
            type="button"
            className="seed-button"
            aria-label={t.widget.recorder.open}
            title={t.widget.recorder.open}
            onClick={() => setTool("recorder")}
          >
            <Mic size={14} />
          </button>
        )}
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
      {there && <Look name={value} upload={upload} />}
      <Suspense>
        {tool === "mask" && (
          <MaskPainter
            file={fileNamed(value)}
            saved={(name) => named(node, input, name)}
            close={() => setTool(null)}
          />
        )}
        {tool === "recorder" && (
          <Recorder use={(file) => give(node, input, upload, file)} close={() => setTool(null)} />
        )}
      </Suspense>
    </div>
  );
}

function Look({ name, upload }: { name: string; upload: FileKind }) {
  const file = fileNamed(name);
  if (upload === "audio") {
    return <Sound address={viewAddress(file)} name={name} />;
  }
  if (upload === "video") {
    // biome-ignore lint/a11y/useMediaCaption: films of the user have none beside them
    return <video className="node-picture" controls loop src={viewAddress(file)} title={name} />;
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
