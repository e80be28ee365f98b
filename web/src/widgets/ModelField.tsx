import { useMemo, useState } from "react";
import { isListed } from "../graph/file_names";
import type { Option, Widget } from "../graph/kinds";
import { fetchModelFiles, type ModelFile, pictureOf } from "../server/models";
import { useCatalog } from "../stores/catalog";
import { t } from "../strings";
import { ChoiceField } from "./ChoiceField";
import type { Editing } from "./editing";
import { MissingModel } from "./MissingModel";
import type { Row } from "./Options";

interface ModelProps extends Editing<Option> {
  node: string;
  input: string;
  widget: Extract<Widget, { kind: "choice" }>;
  folder: string;
}

/** A model of a folder, with pictures and sizes; one that is not there can be fetched. */
export function ModelField(props: ModelProps) {
  const { node, widget, folder, value } = props;
  const [files, setFiles] = useState<readonly ModelFile[]>([]);
  const rows = useMemo(() => rowsOf(widget.options, files, folder), [widget, files, folder]);
  const look = async (): Promise<void> => {
    try {
      const found = await fetchModelFiles(folder);
      setFiles(found);
      // Somebody may have put a file there since the page was opened.
      const isNew = ({ name }: ModelFile) => !widget.options.includes(name);
      if (found.some(isNew)) await useCatalog.getState().load();
    } catch {
      // Pictures and sizes are an extra: the names are there without them.
    }
  };
  return (
    <div className="model">
      <ChoiceField {...props} rows={rows} opened={() => void look()} />
      {!isListed(widget.options, value) && (
        <MissingModel node={node} input={props.input} folder={folder} name={String(value)} />
      )}
    </div>
  );
}

/** Those of the folder itself first, then those of each folder in it. */
function rowsOf(options: readonly Option[], files: readonly ModelFile[], folder: string): Row[] {
  const known = new Map(files.map((file) => [file.name, file]));
  const rows = options.map((option): Row => {
    const name = String(option);
    const file = known.get(name);
    const cut = name.lastIndexOf("/");
    return {
      option,
      group: name.slice(0, Math.max(0, cut)),
      words: name.slice(cut + 1),
      // (a model may be a folder)
      detail: file && /\.\w+$/.test(name) ? t.widget.model.bytes(file.size) : undefined,
      picture: file?.preview ? pictureOf(folder, file) : undefined,
    };
  });
  return rows.sort((one, other) => (one.group ?? "").localeCompare(other.group ?? ""));
}
