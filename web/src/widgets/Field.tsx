import { setValue } from "../graph/edits";
import { type InputKind, shortName, type Widget } from "../graph/kinds";
import type { AfterRun, Json } from "../graph/model";
import { numeric } from "../graph/numbers";
import { useDocuments } from "../stores/documents";
import { t } from "../strings";
import { ChoiceField } from "./ChoiceField";
import { ColourField } from "./ColourField";
import { FileField } from "./FileField";
import { ModelField } from "./ModelField";
import { NumberField } from "./NumberField";
import { SeedButtons } from "./SeedButtons";
import { TextField } from "./TextField";
import { ToggleField } from "./ToggleField";
import { tipOf } from "./tip";

interface FieldProps {
  node: string;
  input: InputKind;
  widget: Widget;
  value: Json;
  after?: AfterRun;
}

/** The widget that an input's kind asks for. */
export function Field({ node, input, widget, value, after }: FieldProps) {
  const { editSheet, settle } = useDocuments.getState();
  const editing = {
    label: input.label || shortName(input.name),
    tip: tipOf(input),
    change: (next: Json) =>
      editSheet(
        t.edits.value(input.name),
        (sheet) => setValue(sheet, node, input.name, next),
        `value:${node}:${input.name}`,
      ),
    done: settle,
  };
  switch (widget.kind) {
    case "number": {
      const field = <NumberField {...editing} widget={widget} value={numeric(value ?? 0)} />;
      if (!widget.seed) return field;
      return (
        <div className="seed">
          {field}
          <SeedButtons
            node={node}
            input={input.name}
            widget={widget}
            after={after ?? input.after ?? "fixed"}
          />
        </div>
      );
    }
    case "text":
      return (
        <TextField
          {...editing}
          node={node}
          input={input.name}
          widget={widget}
          value={value === null ? "" : String(value)}
        />
      );
    case "toggle":
      return <ToggleField {...editing} widget={widget} value={value === true} />;
    case "kept":
      return null;
    case "colour":
      return <ColourField {...editing} value={String(value ?? "#000000")} />;
    case "choice": {
      const chosen = typeof value === "object" || typeof value === "bigint" ? "" : value;
      if (widget.upload) {
        return (
          <FileField
            {...editing}
            node={node}
            input={input.name}
            widget={widget}
            upload={widget.upload}
            value={String(chosen)}
          />
        );
      }
      if (widget.models) {
        return (
          <ModelField
            {...editing}
            node={node}
            input={input.name}
            widget={widget}
            folder={widget.models}
            value={chosen}
          />
        );
      }
      return <ChoiceField {...editing} widget={widget} value={chosen} />;
    }
  }
}
