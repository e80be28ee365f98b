import { Pause, Play } from "lucide-react";
import { useEffect, useState } from "react";
import { downstream } from "../graph/downstream";
import { sheetOf } from "../graph/model";
import { viewAddress } from "../server/service";
import { prefixOf, useTab } from "../stores/documents";
import { useLatestJob, useRun } from "../stores/run";
import { type Speech, speechKey, useSpeech } from "../stores/speech";
import { t } from "../strings";
import { Sound } from "../widgets/Sound";
import { files } from "./Shown";

const TICK = 200;

/** The voice of a node while it speaks; when it has been heard, the file that was made of it. */
export function Speaking({ node }: { node: string }) {
  const workflow = useTab((tab) => tab.id, "");
  const id = useTab(prefixOf, "") + node;
  const key = useRun((run) => speechKey(run.latest[workflow] ?? "", id));
  const speech = useSpeech((state) => state.speeches[key]);
  return speech ? <Voice node={node} name={key} speech={speech} /> : null;
}

function Voice({ node, name, speech }: { node: string; name: string; speech: Speech }) {
  const file = useFileBelow(node);
  if (file && speech.whole && speech.state !== "playing") return <Made source={file} at={name} />;
  return <Player name={name} speech={speech} />;
}

/** All voices of a job that were not heard to their end. */
export function Voices({ job }: { job: string }) {
  const speeches = useSpeech((state) => state.speeches);
  const own = Object.entries(speeches).filter(
    ([key, { state }]) => key.startsWith(speechKey(job, "")) && state !== "over",
  );
  return own.map(([key, speech]) => <Player key={key} name={key} speech={speech} />);
}

/** The address of the sound that the nearest node below shows. */
function useFileBelow(node: string): string | undefined {
  const workflow = useTab((tab) => tab.id, "");
  const sheet = useTab((tab) => sheetOf(tab.history.present, tab.sheet), undefined);
  const prefix = useTab(prefixOf, "");
  const nodes = useLatestJob(workflow)?.nodes;
  if (!sheet || !nodes) return undefined;
  for (const id of downstream(sheet, node)) {
    const [file] = files(nodes[prefix + id]?.shown, ["audio"]);
    if (file) return viewAddress(file);
  }
  return undefined;
}

/** Goes on where the pieces were left; from the beginning where they were heard to the end. */
function Made({ source, at }: { source: string; at: string }) {
  const [begin] = useState(() => {
    const { speeches, position } = useSpeech.getState();
    return speeches[at]?.state === "paused" ? position(at) : 0;
  });
  return (
    <div className="node-shown nodrag">
      <Sound address={source} name={t.speech.made} begin={begin} />
    </div>
  );
}

function Player({ name, speech }: { name: string; speech: Speech }) {
  const { play, pause, position } = useSpeech.getState();
  const playing = speech.state === "playing";
  const [at, setAt] = useState(() => position(name));
  useEffect(() => {
    if (!playing) return;
    const timer = window.setInterval(() => setAt(position(name)), TICK);
    return () => window.clearInterval(timer);
  }, [playing, name, position]);
  const label = playing ? t.speech.pause : t.speech.play;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <div className="speech nodrag" role="group" aria-label={t.speech.label}>
      <button
        type="button"
        className="icon-button"
        aria-label={label}
        title={label}
        disabled={speech.state === "over"}
        onClick={() => (playing ? pause(name) : play(name))}
      >
        {playing ? <Pause size={14} /> : <Play size={14} />}
      </button>
      <progress
        aria-label={t.speech.heard}
        max={Math.max(speech.length, 0.01)}
        value={speech.state === "over" ? speech.length : at}
      />
      <span className="speech-time">
        {t.clock(at)} / {t.clock(speech.length)}
        {speech.whole ? "" : "…"}
      </span>
    </div>
  );
}
