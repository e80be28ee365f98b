import { FileUp, Play, Plus } from "lucide-react";
import { estimated } from "../graph/layout";
import type { Workflow } from "../graph/model";
import { fetchSaved, fetchTemplate, templatePicture } from "../server/service";
import { catalogNow } from "../stores/catalog";
import { t } from "../strings";
import { Bundled, lacksModel } from "./Bundled";
import { type Draft, drafts, reopen } from "./drafts";
import { newWorkflow, openSaved, openTemplate, pickFiles, tell } from "./files";
import { run } from "./run";
import { Sketch, type SketchBox } from "./Sketch";
import { useFetched } from "./useFetched";

const PACK = "soundstage";
const FIRST = "hello";
/** The first run where the voice of the other is not here yet. */
const SILENT = "picture";
const RECENT = 6;

function first(): Promise<void> {
  return tell(async () => {
    const lacks = lacksModel(await fetchTemplate(PACK, FIRST), FIRST);
    if (await openTemplate(PACK, lacks ? SILENT : FIRST)) await run();
  });
}

/** What to begin with: the demo in one click, what was open, what was saved, bundled workflows. */
export function StartPage() {
  const recent = useFetched(recentWorkflows, []);
  const saved = useFetched(fetchSaved, []);
  return (
    <div className="start">
      <div className="start-inner">
        <section className="start-hero">
          <div className="start-hero-words">
            <h1>{t.start.title}</h1>
            <p>{t.start.words}</p>
            <div className="start-actions">
              <button type="button" className="run run-large" onClick={() => void first()}>
                <Play size={18} /> {t.start.demo}
              </button>
              <button type="button" className="quiet" onClick={newWorkflow}>
                <Plus size={16} /> {t.start.empty}
              </button>
              <button type="button" className="quiet" onClick={pickFiles}>
                <FileUp size={16} /> {t.start.open}
              </button>
            </div>
          </div>
          <figure className="start-demo">
            <img src={templatePicture(PACK, FIRST)} alt="" width={256} height={256} />
            <figcaption>{t.start.demoWords}</figcaption>
          </figure>
        </section>
        <Recent workflows={recent} />
        <Saved names={saved} />
        <Bundled />
      </div>
    </div>
  );
}

const recentWorkflows = async (): Promise<Draft[]> => (await drafts()).slice(0, RECENT);

function Recent({ workflows }: { workflows: readonly Draft[] }) {
  if (workflows.length === 0) return null;
  return (
    <section>
      <h2>{t.start.recent}</h2>
      <ul className="recent">
        {workflows.map((draft) => (
          <li key={draft.id}>
            <button
              type="button"
              className="recent-one"
              onClick={() => void tell(() => reopen(draft))}
            >
              <Sketch boxes={boxesOf(draft.workflow)} />
              <span className="recent-name">{draft.name}</span>
              <span className="recent-words">
                {t.nodes(Object.keys(draft.workflow.root.nodes).length)} ·{" "}
                {t.start.when(Date.now() - draft.changed)}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Saved({ names }: { names: readonly string[] }) {
  if (names.length === 0) return null;
  return (
    <section>
      <h2>{t.start.saved}</h2>
      <ul className="saved">
        {names.map((name) => (
          <li key={name}>
            <button type="button" className="quiet" onClick={() => void openSaved(name)}>
              {name.replace(/\.json$/, "")}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function boxesOf(workflow: Workflow): SketchBox[] {
  const catalog = catalogNow();
  return Object.values(workflow.root.nodes).map((node) => ({
    x: node.x,
    y: node.y,
    type: catalog.get(node.type)?.outputs[0]?.type ?? "*",
    ...estimated(workflow, node, catalog),
  }));
}
