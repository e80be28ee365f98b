import { ArrowDownToLine, TriangleAlert, X } from "lucide-react";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { sheetOf } from "../graph/model";
import { type ModelSource, sourceIn } from "../graph/model_sources";
import type { Offer, Pull } from "../server/models";
import { catalogNow } from "../stores/catalog";
import { tabNow } from "../stores/documents";
import { usePull, usePulls } from "../stores/pulls";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { Popover } from "./Popover";

interface MissingProps {
  node: string;
  input: string;
  folder: string;
  name: string;
}

const w = t.widget.model;
const SAFE = /\.(safetensors|sft|onnx)$/i;

/** Says that a model is not there, and fetches it if somebody asks. */
export function MissingModel({ node, input, folder, name }: MissingProps) {
  const pull = usePull(folder, name);
  const offer = usePulls(({ offers }) =>
    offers.find((one) => one.folder === folder && (one.name === name || !name)),
  );
  const wanted = name || offer?.name || "";
  const [asking, setAsking] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => usePulls.getState().look(), []);
  const close = () => {
    setAsking(false);
    button.current?.focus();
  };
  if (pull?.state === "running") return <Coming pull={pull} />;
  return (
    <div className="model-missing">
      <TriangleAlert size={13} aria-hidden="true" />
      <span className="model-words">{pull?.error ?? w.missing(name)}</span>
      {wanted && (offer || SAFE.test(wanted)) ? (
        <button
          ref={button}
          type="button"
          className="model-pull"
          aria-label={w.pullOf(wanted)}
          aria-haspopup="dialog"
          aria-expanded={asking}
          onClick={() => setAsking(!asking)}
        >
          <ArrowDownToLine size={13} aria-hidden="true" />
          {w.pull}
        </button>
      ) : null}
      {asking && (
        <Popover anchor={button.current} close={close} least={340}>
          <Ask {...{ node, input, folder, offer, close }} name={wanted} />
        </Popover>
      )}
    </div>
  );
}

interface AskProps extends MissingProps {
  offer: Offer | undefined;
  close(): void;
}

/** Where it shall come from; nothing is asked of anybody before that is sent. */
function Ask({ node, input, folder, name, offer, close }: AskProps) {
  const [known] = useState(() => sourceNow(node, input, name));
  const [url, setUrl] = useState(known?.url ?? "");
  const [busy, setBusy] = useState(false);
  const begin = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      const source = url === known?.url ? known : { url };
      await usePulls.getState().begin({ folder, name, ...(offer ? {} : source) });
      close();
    } catch (error) {
      useUi.getState().say(error instanceof Error ? error.message : String(error), "error");
      setBusy(false);
    }
  };
  return (
    <div
      role="dialog"
      aria-label={w.title}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Escape") close();
      }}
    >
      <form className="model-ask" onSubmit={(event) => void begin(event)}>
        <strong>{name}</strong>
        {offer ? (
          <p>{w.offered(offer.title, offer.licence, w.bytes(offer.size))}</p>
        ) : (
          <label>
            {w.address}
            <input
              // biome-ignore lint/a11y/noAutofocus: a person asked for this form
              autoFocus
              type="url"
              required
              pattern="https?://.+"
              placeholder="https://"
              value={url}
              onChange={({ target }) => setUrl(target.value)}
            />
          </label>
        )}
        <p>
          {w.into(folder, name)} {!offer && w.unsafe}
        </p>
        <div className="model-ends">
          <button type="button" className="button" onClick={close}>
            {w.cancel}
          </button>
          {/* biome-ignore lint/a11y/noAutofocus: a person asked for this form */}
          <button type="submit" className="button button-main" disabled={busy} autoFocus={!!offer}>
            {w.pull}
          </button>
        </div>
      </form>
    </div>
  );
}

/** Where the graph says that a model comes from. */
function sourceNow(id: string, input: string, name: string): ModelSource | undefined {
  const tab = tabNow();
  const node = tab && sheetOf(tab.history.present, tab.sheet).nodes[id];
  return node && sourceIn(tab.history.present, node, input, name, catalogNow());
}

function Coming({ pull }: { pull: Pull }) {
  const { id, name, done, total, source } = pull;
  return (
    <div className="model-missing model-coming">
      <progress aria-label={w.progress(name)} max={total ?? 1} value={total ? done : undefined} />
      <span className="model-words">
        {w.coming(w.bytes(done), total ? w.bytes(total) : "", source)}
      </span>
      <button
        type="button"
        className="model-pull"
        aria-label={w.stop(name)}
        title={w.stop(name)}
        onClick={() => void usePulls.getState().stop(id)}
      >
        <X size={13} />
      </button>
    </div>
  );
}
