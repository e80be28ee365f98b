import { GitCompareArrows, History, Trash2 } from "lucide-react";
import type { Version } from "../server/versions";
import { t } from "../strings";
import { running } from "../strings/running";
import { IconButton } from "../widgets/IconButton";
import { Picture } from "../widgets/Picture";
import { ConfirmButton } from "./ConfirmButton";

const w = running.versions;

/** What a version is called: runs by their time. */
export const nameOf = ({ name, at }: Version): string => name || w.run(timeOf(at));

const timeOf = (at: number): string =>
  new Date(at).toLocaleString("en", {
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hour12: false,
  });

interface Props {
  version: Version;
  /** The open workflow is compared with it now. */
  compared: boolean;
  compare: () => void;
  restore: () => void;
  forget: () => void;
}

/** A version, and what can be done with it. */
export function VersionRow({ version, compared, compare, restore, forget }: Props) {
  const { kind, picture, took, at } = version;
  const name = nameOf(version);
  const about =
    kind === "named" ? at > 0 && timeOf(at) : took !== undefined ? t.seconds(took / 1000) : "";
  return (
    <li className={compared ? "version version-compared" : "version"}>
      {picture ? (
        <Picture className="version-picture" file={picture} preview="webp;60" alt="" lazy />
      ) : (
        <span className="version-picture" aria-hidden="true" />
      )}
      <span className="version-about">
        <strong title={name}>{name}</strong>
        <span>{about}</span>
      </span>
      <span className="version-tools">
        <IconButton label={w.compare(name)} act={compare}>
          <GitCompareArrows size={15} />
        </IconButton>
        <IconButton label={w.restore(name)} act={restore}>
          <History size={15} />
        </IconButton>
        {kind === "named" && (
          <ConfirmButton label={w.forget(name)} ask={w.sureForget} act={forget}>
            <Trash2 size={14} />
          </ConfirmButton>
        )}
      </span>
    </li>
  );
}
