import "../theme/comparison.css";
import { type FormEvent, useCallback, useEffect, useId, useRef, useState } from "react";
import { complain, guarded, wordsOf } from "../app/run";
import { openDocument } from "../graph/files";
import type { Workflow } from "../graph/model";
import { uuid } from "../graph/uuid";
import { toEditor } from "../graph/write_editor";
import { Refused } from "../server/http";
import { fetchVersions, forgetVersion, keepVersion, type Version } from "../server/versions";
import { catalogNow } from "../stores/catalog";
import { type Compared, useCompared, useComparison } from "../stores/comparison";
import { type Tab, useDocuments } from "../stores/documents";
import { useRun } from "../stores/run";
import { useUi } from "../stores/ui";
import { running } from "../strings/running";
import { Changes } from "./Changes";
import { nameOf, VersionRow } from "./VersionRow";

const w = running.versions;
const NOW = "";

/** Earlier states of a workflow: kept under names or by their runs, compared, restored. */
export default function Versions({ tab }: { tab: Tab }) {
  const [versions, reload] = useVersions(tab.id);
  const [target, setTarget] = useState(NOW);
  const compared = useCompared(tab);
  // Closed, the panel leaves no marks behind.
  useEffect(() => () => useComparison.getState().stop(), []);

  const compare = (version: Version): Promise<void> =>
    guarded(
      async () => useComparison.getState().compare(await besides(tab, versions, version, target)),
      async () => setTarget(NOW),
    );
  const restore = (version: Version): Promise<void> =>
    guarded(
      async () => restored(tab, await read(version, tab), nameOf(version)),
      async () => undefined,
    );
  return (
    <div className="versions">
      {compared && <Changes tab={tab} compared={compared} />}
      <NameForm tab={tab} versions={versions} done={reload} />
      {versions.length > 1 && <Target versions={versions} target={target} choose={setTarget} />}
      <ul aria-label={w.list}>
        {versions.map((version) => (
          <VersionRow
            key={version.key}
            version={version}
            compared={compared?.name === nameOf(version)}
            compare={() => void compare(version)}
            restore={() => void restore(version)}
            forget={() => void guarded(() => forgetVersion(version), reload)}
          />
        ))}
      </ul>
      {versions.length === 0 && <p className="empty">{w.empty}</p>}
    </div>
  );
}

/** The versions of a workflow, asked for again when it has run. */
function useVersions(workflow: string): [readonly Version[], () => Promise<void>] {
  const [versions, setVersions] = useState<readonly Version[]>([]);
  const ended = useRun(
    (run) =>
      run.list.filter((job) => job.workflow_id === workflow && job.status === "completed").length,
  );
  const asked = useRef("");
  const load = useCallback(async () => {
    asked.current = workflow;
    const found = await fetchVersions(workflow);
    if (asked.current === workflow) setVersions(found);
  }, [workflow]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked for again when a job has ended
  useEffect(() => {
    load().catch((error) => complain(error));
  }, [load, ended]);
  return [versions, load];
}

/** A version's workflow, as a state of the tab. */
async function read(version: Version, tab: Tab): Promise<Workflow> {
  const workflow = openDocument(await version.document(), nameOf(version), catalogNow());
  return { ...workflow, id: tab.id };
}

function restored(tab: Tab, workflow: Workflow, name: string): void {
  const { activate, edit } = useDocuments.getState();
  activate(tab.id);
  edit(w.restored(name), () => workflow);
  useUi.getState().say(w.said(name));
}

/** What to compare: the tab as it is now, or another version in a tab of its own. */
async function besides(
  tab: Tab,
  versions: readonly Version[],
  version: Version,
  target: string,
): Promise<Compared> {
  const before = await read(version, tab);
  const other = versions.find(({ key }) => key === target && key !== version.key);
  if (!other) return { tab: tab.id, name: nameOf(version), before };
  const workflow = { ...(await read(other, tab)), id: uuid() };
  useDocuments.getState().open(workflow, `${tab.name} · ${nameOf(other)}`);
  return { tab: workflow.id, name: nameOf(version), before };
}

interface NameFormProps {
  tab: Tab;
  versions: readonly Version[];
  done: () => Promise<void>;
}

function NameForm({ tab, versions, done }: NameFormProps) {
  const [name, setName] = useState("");
  const keep = (event: FormEvent): void => {
    event.preventDefault();
    const given = name.trim();
    const document = toEditor(tab.history.present, catalogNow());
    const picture = versions.find(({ kind, picture }) => kind === "run" && picture)?.picture;
    keepVersion(tab.id, given, document, picture)
      .then(() => {
        setName("");
        useUi.getState().say(w.kept(given));
        return done();
      })
      .catch((error) => {
        const taken = error instanceof Refused && error.status === 409;
        useUi.getState().say(taken ? w.taken(given) : wordsOf(error), "error");
      });
  };
  return (
    <form className="version-name" onSubmit={keep}>
      <input
        aria-label={w.name}
        placeholder={w.name}
        maxLength={80}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <button type="submit" className="version-button" disabled={name.trim() === ""}>
        {w.keep}
      </button>
    </form>
  );
}

interface TargetProps {
  versions: readonly Version[];
  target: string;
  choose: (key: string) => void;
}

function Target({ versions, target, choose }: TargetProps) {
  const id = useId();
  return (
    <div className="version-with">
      <label htmlFor={id}>{w.with}</label>
      <select id={id} value={target} onChange={(event) => choose(event.target.value)}>
        <option value={NOW}>{w.now}</option>
        {versions.map((version) => (
          <option key={version.key} value={version.key}>
            {nameOf(version)}
          </option>
        ))}
      </select>
    </div>
  );
}
