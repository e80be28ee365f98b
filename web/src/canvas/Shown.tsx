import { memo } from "react";
import type { NodeRun } from "../run/progress";
import { kindOf } from "../server/gallery";
import { File, viewAddress } from "../server/service";
import { useUi } from "../stores/ui";
import { t } from "../strings";
import { Compare } from "../widgets/Compare";
import { Picture } from "../widgets/Picture";
import { Sound } from "../widgets/Sound";

const PICTURES = ["images", "gifs", "video", "a_images", "b_images"];
const MOST = 8;

/** What a node made, or what it is about to make. */
export const Shown = memo(function Shown({ run }: { run: NodeRun }) {
  const { shown, preview } = run;
  const looks = files(shown, PICTURES);
  const films = looks.filter(({ filename }) => kindOf(filename) === "film");
  const pictures = looks.filter((file) => !films.includes(file));
  const sounds = files(shown, ["audio"]);
  const texts = words(shown);
  const open = useUi((state) => state.set);
  if (run.state === "running" && preview) {
    return <img className="node-picture" src={preview} alt={t.node.preview} draggable={false} />;
  }
  const [left] = files(shown, ["a_images"]);
  const [right] = files(shown, ["b_images"]);
  if (left && right) {
    return (
      <div className="node-shown nodrag">
        <Compare left={side(left, "image_a")} right={side(right, "image_b")} />
      </div>
    );
  }
  if (looks.length + sounds.length + texts.length === 0) return null;
  return (
    <div className={`node-shown nodrag ${pictures.length > 1 ? "node-shown-many" : ""}`}>
      {pictures.slice(0, MOST).map((file, at) => (
        <button
          type="button"
          key={viewAddress(file)}
          className="node-picture-button"
          aria-label={t.node.look(file.filename)}
          onClick={() => open({ lightbox: { at, among: pictures } })}
        >
          <Picture className="node-picture" file={file} alt={file.filename} />
        </button>
      ))}
      {films.map((file) => (
        // biome-ignore lint/a11y/useMediaCaption: nobody knows what is said in it
        <video
          key={viewAddress(file)}
          className="node-picture"
          controls
          loop
          src={viewAddress(file)}
        />
      ))}
      {sounds.map((file) => (
        <Sound key={viewAddress(file)} address={viewAddress(file)} name={file.filename} />
      ))}
      {texts.slice(0, MOST).map((text) => (
        <pre key={text} className="node-text nowheel">
          {text}
        </pre>
      ))}
    </div>
  );
});

const side = (file: File, name: string) => ({ address: viewAddress(file), name });

/** The files under some keys of what a node showed. */
export function files(shown: Record<string, unknown> | undefined, keys: readonly string[]): File[] {
  return keys.flatMap((key) => {
    const list = shown?.[key];
    if (!Array.isArray(list)) return [];
    return list.flatMap((entry) => {
      const read = File.safeParse(entry);
      return read.success ? [read.data] : [];
    });
  });
}

function words(shown: Record<string, unknown> | undefined): string[] {
  const list = shown?.text;
  const texts = Array.isArray(list) ? list : [];
  return texts.filter((entry) => typeof entry === "string").map((entry) => entry.slice(0, 4000));
}
