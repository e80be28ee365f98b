import { ArrowDown, ArrowUp } from "lucide-react";
import { type About, type Ask, aboutOf, withAbout } from "../graph/about";
import { type AskPlace, asksOf, keyOf, moveAsk, nameAsk, putAsk } from "../graph/form";
import { shortName, titleOf } from "../graph/kinds";
import { useCatalog } from "../stores/catalog";
import { type Tab, useDocuments } from "../stores/documents";
import { t } from "../strings";
import { IconButton } from "../widgets/IconButton";

const PLACES: readonly AskPlace[] = ["first", "settings", "hidden"];

/** Which inputs a form asks for, under which names and in which order. */
export function FormEditor({ tab, done }: { tab: Tab; done(): void }) {
  const catalog = useCatalog((state) => state.catalog);
  const workflow = tab.history.present;
  const about = aboutOf(workflow.kept);
  const { edit, settle } = useDocuments.getState();
  const asks = asksOf(workflow, catalog);
  const change = (part: Partial<About>, merge?: string): void =>
    edit(t.form.edits.form, (now) => withAbout(now, part), merge);
  const row = (ask: Ask, place: AskPlace, at: number): React.ReactNode => {
    const node = workflow.root.nodes[ask.node];
    const input = `${node ? titleOf(workflow, node, catalog) : ask.node}, ${shortName(ask.input)}`;
    return (
      <li key={keyOf(ask)} className="form-row">
        {place === "hidden" ? (
          <span className="form-row-name">{input}</span>
        ) : (
          <input
            aria-label={t.form.name(input)}
            title={input}
            value={ask.name}
            onChange={({ target }) =>
              change({ form: nameAsk(asks, ask, target.value) }, `name:${keyOf(ask)}`)
            }
            onBlur={settle}
          />
        )}
        <select
          aria-label={t.form.where(input)}
          value={place}
          onChange={({ target }) =>
            change({ form: putAsk(asks, ask, PLACES[target.selectedIndex] ?? "hidden") })
          }
        >
          {PLACES.map((one) => (
            <option key={one} value={one}>
              {t.form.places[one]}
            </option>
          ))}
        </select>
        {place !== "hidden" && (
          <>
            <IconButton
              label={t.form.up(input)}
              disabled={at === 0}
              act={() => change({ form: moveAsk(asks, ask, -1) })}
            >
              <ArrowUp size={15} />
            </IconButton>
            <IconButton
              label={t.form.down(input)}
              disabled={at === asks[place].length - 1}
              act={() => change({ form: moveAsk(asks, ask, 1) })}
            >
              <ArrowDown size={15} />
            </IconButton>
          </>
        )}
      </li>
    );
  };
  return (
    <section className="form-parts form-editor" aria-label={t.form.edit}>
      <label>
        {t.form.title}
        <input
          value={about.title}
          placeholder={tab.name}
          onChange={({ target }) => change({ title: target.value }, "form:title")}
          onBlur={settle}
        />
      </label>
      <label>
        {t.form.words}
        <textarea
          rows={2}
          value={about.words}
          onChange={({ target }) => change({ words: target.value }, "form:words")}
          onBlur={settle}
        />
      </label>
      {PLACES.map(
        (place) =>
          asks[place].length > 0 && (
            <div key={place}>
              <h2>{t.form.places[place]}</h2>
              <ul>{asks[place].map((ask, at) => row(ask, place, at))}</ul>
            </div>
          ),
      )}
      <div className="form-buttons">
        <button
          type="button"
          className="quiet"
          disabled={about.form === undefined}
          onClick={() => change({ form: undefined })}
        >
          {t.form.automatic}
        </button>
        <button type="button" className="quiet" onClick={done}>
          {t.form.done}
        </button>
      </div>
    </section>
  );
}
