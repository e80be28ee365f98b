import { Shown } from "../canvas/Shown";
import { type FormPart, formOf, showing } from "../graph/form";
import { type InputKind, titleOf } from "../graph/kinds";
import type { GraphNode } from "../graph/model";
import { isOver } from "../run/progress";
import { useCatalog } from "../stores/catalog";
import type { Tab } from "../stores/documents";
import { useLatestJob, useNodeRun } from "../stores/run";
import { t } from "../strings";
import { Field } from "../widgets/Field";

/** A graph as a plain form, with what it makes beside it. */
export function Form({ tab }: { tab: Tab }) {
  const catalog = useCatalog((state) => state.catalog);
  const workflow = tab.history.present;
  const parts = formOf(workflow, catalog);
  const settings = parts.filter((part) => part.settings.length > 0);
  return (
    <div className="form">
      <section className="form-asks" aria-label={t.form.asks}>
        {parts
          .filter((part) => part.first.length > 0)
          .map((part) => (
            <Part key={part.node.id} part={part} inputs={part.first} />
          ))}
        {settings.length > 0 && (
          <details>
            <summary>{t.form.settings}</summary>
            {settings.map((part) => (
              <Part key={part.node.id} part={part} inputs={part.settings} />
            ))}
          </details>
        )}
      </section>
      <section className="form-shows" aria-label={t.panels.results}>
        <Progress workflow={tab.id} count={Object.keys(workflow.root.nodes).length} />
        {showing(workflow, catalog).map((node) => (
          <Result key={node.id} tab={tab} node={node} />
        ))}
      </section>
    </div>
  );
}

function Part({ part, inputs }: { part: FormPart; inputs: InputKind[] }) {
  const { node, title } = part;
  return (
    <fieldset className="form-part">
      <legend>{title}</legend>
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

function Progress({ workflow, count }: { workflow: string; count: number }) {
  const job = useLatestJob(workflow);
  if (!job || isOver(job)) return job?.error ? <p className="form-error">{job.error}</p> : null;
  const nodes = Object.values(job.nodes);
  const done = nodes.reduce(
    (sum, { state, value, max }) => sum + (state === "running" ? value / Math.max(1, max) : 1),
    0,
  );
  return (
    <progress className="form-progress" aria-label={t.form.progress} max={count} value={done} />
  );
}

function Result({ tab, node }: { tab: Tab; node: GraphNode }) {
  const run = useNodeRun(tab.id, node.id, false);
  const catalog = useCatalog((state) => state.catalog);
  if (!run?.shown) return null;
  return (
    <figure className="form-result">
      <figcaption>{titleOf(tab.history.present, node, catalog)}</figcaption>
      <Shown run={run} />
    </figure>
  );
}
