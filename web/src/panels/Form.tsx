import { Link2, Pencil, Play } from "lucide-react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { run } from "../app/run";
import { aboutOf } from "../graph/about";
import { type FormPart, formOf } from "../graph/form";
import { titleOf } from "../graph/kinds";
import { isOver, type JobRun } from "../run/progress";
import { useCatalog } from "../stores/catalog";
import { type Tab, useDocuments } from "../stores/documents";
import { useLatestJob } from "../stores/run";
import { t } from "../strings";
import { Field } from "../widgets/Field";
import { IconButton } from "../widgets/IconButton";
import { FormEditor } from "./FormEditor";
import { FormResults } from "./FormResults";
import { StopButton } from "./StopButton";

interface FormProps {
  tab: Tab;
  /** Hands out a link to this form. */
  share(tab: Tab): void;
}

/** A workflow as a plain form, with what it makes beside it. */
export function Form({ tab, share }: FormProps) {
  const [editing, setEditing] = useState(false);
  const results = useRef<HTMLElement>(null);
  const { title, words } = aboutOf(tab.history.present.kept);
  // A form is of the whole workflow, wherever in it one was.
  useEffect(() => useDocuments.getState().leave(0), []);
  return (
    <div className="form">
      <div className="form-head">
        <h1>{title || tab.name}</h1>
        <IconButton label={t.form.link} act={() => share(tab)}>
          <Link2 size={16} />
        </IconButton>
        <IconButton
          label={editing ? t.form.done : t.form.edit}
          pressed={editing}
          act={() => setEditing(!editing)}
        >
          <Pencil size={15} />
        </IconButton>
        {words && <p>{words}</p>}
      </div>
      <div className="form-asks">
        {editing ? <FormEditor tab={tab} done={() => setEditing(false)} /> : <Asks tab={tab} />}
        <RunBar tab={tab} started={() => intoView(results.current)} />
      </div>
      <section ref={results} className="form-shows" aria-label={t.panels.results}>
        <FormResults tab={tab} />
      </section>
    </div>
  );
}

/** On a phone the results stand below the form. */
function intoView(results: HTMLElement | null): void {
  if (!matchMedia("(max-width: 700px)").matches) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  results?.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
}

function Asks({ tab }: { tab: Tab }) {
  const catalog = useCatalog((state) => state.catalog);
  const { first, settings } = formOf(tab.history.present, catalog);
  const all = (parts: FormPart[]): ReactNode =>
    parts.map((part) => <Part key={part.key} part={part} />);
  return (
    <section className="form-parts" aria-label={t.form.asks}>
      {all(first)}
      {first.length + settings.length === 0 && <p className="empty">{t.form.nothingAsked}</p>}
      {settings.length > 0 && (
        <details open={first.length === 0}>
          <summary>{t.form.settings}</summary>
          {all(settings)}
        </details>
      )}
    </section>
  );
}

function Part({ part: { node, name, inputs } }: { part: FormPart }) {
  return (
    <fieldset className={inputs.length === 1 ? "form-part form-part-alone" : "form-part"}>
      <legend>{name}</legend>
      {inputs.map(
        (input) =>
          input.widget && (
            <Field
              key={input.name}
              node={node.id}
              input={input}
              widget={input.widget}
              value={node.values[input.name] ?? input.default ?? null}
              after={node.after[input.name]}
            />
          ),
      )}
    </fieldset>
  );
}

/** The one button that matters, within reach of a thumb. */
function RunBar({ tab, started }: { tab: Tab; started(): void }) {
  const job = useLatestJob(tab.id);
  const busy = job !== undefined && !isOver(job);
  const begin = (front: boolean): void => {
    started();
    void run(front);
  };
  return (
    <div className="form-run">
      {busy && <Progress tab={tab} job={job} />}
      <div className="form-buttons">
        <button
          type="button"
          className="run run-large"
          title={t.run.hint}
          onClick={(event) => begin(event.shiftKey)}
        >
          <Play size={17} /> {t.commands.run}
        </button>
        {busy && <StopButton tab={tab} large />}
      </div>
    </div>
  );
}

function Progress({ tab, job }: { tab: Tab; job: JobRun }) {
  const catalog = useCatalog((state) => state.catalog);
  const workflow = tab.history.present;
  const begun = Object.values(job.nodes);
  const done = begun.reduce(
    (sum, { state, value, max }) => sum + (state === "running" ? value / Math.max(1, max) : 1),
    0,
  );
  const [id, at] = Object.entries(job.nodes).find(([, { state }]) => state === "running") ?? [];
  const node = workflow.root.nodes[id?.split(":")[0] ?? ""];
  const title = node ? titleOf(workflow, node, catalog) : "";
  return (
    <div className="form-progress">
      <progress
        aria-label={t.form.progress}
        max={Math.max(begun.length, Object.keys(workflow.root.nodes).length)}
        value={done}
      />
      <span>{at ? t.form.at(title, at.value, at.max) : t.form.waits}</span>
    </div>
  );
}
