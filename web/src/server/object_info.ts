/** GET /object_info, checked and read into a catalog; one bad entry spoils no other.
 *
 * Hundreds of entries are read whenever a page starts, so they are checked by hand: by schemas it
 * took a quarter of all the time until the page was there. */

import {
  type Catalog,
  type InputKind,
  type NodeKind,
  type Option,
  type OutputKind,
  OWN_KINDS,
  type Widget,
} from "../graph/kinds";
import type { Json } from "../graph/model";
import type { Numeric } from "../graph/numbers";
import {
  type Fields,
  fieldsOf,
  flagOf,
  isFields,
  isOption,
  numberOf,
  numericOf,
  optionsOf,
  textOf,
  textsOf,
} from "./fields";

/** The kinds that could be read, and which could not. */
export interface ReadCatalog {
  catalog: Catalog;
  /** Kinds whose entry could not be read. */
  unreadable: string[];
}

/** The answer of GET /object_info as a catalog; throws where it is no object at all. */
export function readCatalog(document: unknown): ReadCatalog {
  if (!isFields(document)) throw new Error("the service does not say which nodes it has");
  const catalog = new Map<string, NodeKind>(OWN_KINDS.map((kind) => [kind.id, kind]));
  const unreadable: string[] = [];
  for (const [id, entry] of Object.entries(document)) {
    const kind = readKind(id, entry);
    if (kind) catalog.set(id, kind);
    else unreadable.push(id);
  }
  return { catalog, unreadable };
}

/** undefined: what it has or gives cannot be understood. */
function readKind(id: string, entry: unknown): NodeKind | undefined {
  if (!isFields(entry)) return undefined;
  const groups = readGroups(entry.input);
  // Inputs of which ComfyUI's app must not be told come beside the others.
  const unlisted = readGroups({ optional: entry.input_unlisted });
  const order = readOrder(entry.input_order);
  const outputs = readOutputs(entry);
  const title = entry.display_name ?? "";
  if (!groups || !unlisted || !order || !outputs || typeof title !== "string") return undefined;
  const inputs = [...readInputs(groups, order), ...readInputs(unlisted, NO_ORDER)];
  return {
    id,
    title: title || id,
    category: textOf(entry.category) ?? "",
    description: textOf(entry.description) ?? "",
    inputs,
    outputs,
    shows: flagOf(entry.output_node) ?? false,
    deprecated: flagOf(entry.deprecated) ?? false,
    experimental: flagOf(entry.experimental) ?? false,
    aliases: textsOf(entry.search_aliases) ?? [],
    dynamic: inputs.some((input) => input.variants || input.slots),
  };
}

function readOutputs(entry: Fields): OutputKind[] | undefined {
  const declared = entry.output ?? [];
  if (!Array.isArray(declared)) return undefined;
  if (!declared.every((type) => typeof type === "string" || optionsOf(type))) return undefined;
  const names = textsOf(entry.output_name);
  const tooltips = Array.isArray(entry.output_tooltips) ? entry.output_tooltips : [];
  return declared.map((type, slot) => {
    const named = typeof type === "string" ? type : "COMBO";
    return { name: names?.[slot] || named, type: named, tooltip: textOf(tooltips[slot]) };
  });
}

/** Inputs as they are declared: those that are required, and the others. */
interface Groups {
  required: Fields;
  optional: Fields;
}

/** The names of inputs in their order, where it is said. */
type Order = { [part in keyof Groups]: readonly string[] };

const NOTHING: Fields = {};
const NO_ORDER: Order = { required: [], optional: [] };

function readGroups(declared: unknown): Groups | undefined {
  if (!isFields(declared)) return undefined;
  const required = declared.required ?? NOTHING;
  const optional = declared.optional ?? NOTHING;
  return isFields(required) && isFields(optional) ? { required, optional } : undefined;
}

function readOrder(declared: unknown): Order | undefined {
  if (declared === undefined || declared === null) return NO_ORDER;
  if (!isFields(declared)) return undefined;
  const required = textsOf(declared.required ?? []);
  const optional = textsOf(declared.optional ?? []);
  return required && optional && { required, optional };
}

function readInputs(groups: Groups, order: Order): InputKind[] {
  return (["required", "optional"] as const).flatMap((part) => {
    const declared = groups[part];
    const listed = order[part].filter((name) => Object.hasOwn(declared, name));
    const names = new Set([...listed, ...Object.keys(declared)]);
    return [...names].map((name) => readInput(name, declared[name], part === "optional"));
  });
}

function readInput(name: string, declared: unknown, optional: boolean): InputKind {
  const [first, given] = Array.isArray(declared) ? declared : [];
  const type = typeof first === "string" ? first : optionsOf(first);
  if (type === undefined) return { name, type: "*", optional };
  const options = fieldsOf(given);
  const special = typeof type === "string" && readSpecial(name, type, options, optional);
  if (special) return special;
  // A type of its own may ask for the widget of a known one.
  const hint = textOf(options.widgetType);
  const hinted = hint === undefined ? undefined : widgetOf(hint, options);
  const widget = flagOf(options.forceInput) ? undefined : (hinted ?? widgetOf(type, options));
  return {
    name,
    type: typeof type === "string" ? type : "COMBO",
    optional,
    widget,
    default: widget && defaultOf(widget, options.default as Json | undefined, optional),
    tooltip: textOf(options.tooltip),
  };
}

/** Inputs that bring others, that grow, or that take what another one takes. */
function readSpecial(
  name: string,
  type: string,
  options: Fields,
  optional: boolean,
): InputKind | undefined {
  const tooltip = textOf(options.tooltip);
  if (type === "COMFY_DYNAMICCOMBO_V3") {
    const variants = readVariants(options.options);
    const keys = variants.map(({ key }) => key);
    const widget: Widget = { kind: "choice", options: keys };
    return { name, type: "COMBO", optional, widget, default: keys[0], tooltip, variants };
  }
  if (type === "COMFY_AUTOGROW_V3") {
    const slots = readSlots(fieldsOf(options.template));
    return slots && { name, type: slots.slot.type, optional, tooltip, slots };
  }
  if (type === "COMFY_MATCHTYPE_V3") {
    const taken = textOf(fieldsOf(options.template).allowed_types);
    return { name, type: taken ?? "*", optional, tooltip };
  }
  return undefined;
}

/** None where one of them cannot be understood. */
function readVariants(declared: unknown): NonNullable<InputKind["variants"]> {
  const variants: NonNullable<InputKind["variants"]> = [];
  for (const variant of Array.isArray(declared) ? declared : []) {
    const { key, inputs } = fieldsOf(variant);
    const groups = readGroups(inputs);
    if (!isOption(key) || !groups) return [];
    variants.push({ key, inputs: readInputs(groups, NO_ORDER) });
  }
  return variants;
}

const MOST_SLOTS = 1000;

function readSlots({ input, min, names, prefix, max }: Fields): InputKind["slots"] {
  const groups = readGroups(input);
  const listed = names === undefined ? undefined : textsOf(names);
  const before = prefix === undefined ? "" : textOf(prefix);
  const most = max === undefined ? 50 : numberOf(max);
  if (!groups || (names !== undefined && !listed) || before === undefined) return undefined;
  if (most === undefined || !Number.isSafeInteger(most) || most > MOST_SLOTS) return undefined;
  const [slot] = readInputs(groups, NO_ORDER);
  if (!slot) return undefined;
  const all = listed ?? Array.from({ length: most }, (_, position) => `${before}${position}`);
  const least = numberOf(min) ?? 0;
  return { names: all, least: Number.isSafeInteger(least) && least > 0 ? least : 0, slot };
}

/** Types that stand for a widget which this editor has no control for. */
const KEPT = new Set(["IMAGECOMPARE", "RESOLUTION_PREVIEW", "COLORS", "CURVE", "BOUNDING_BOX"]);

function widgetOf(type: string | Option[], options: Fields): Widget | undefined {
  if (typeof type !== "string") return choice(type, options);
  const [first] = type.split(",");
  switch (first) {
    case "INT":
      return number(true, options);
    case "FLOAT":
      return number(false, options);
    case "STRING":
      return {
        kind: "text",
        multiline: flagOf(options.multiline) ?? false,
        prompt: flagOf(options.dynamicPrompts) ?? false,
      };
    case "BOOLEAN":
      return { kind: "toggle", on: textOf(options.label_on), off: textOf(options.label_off) };
    case "COMBO": {
      const values = optionsOf(options.options);
      // Without options people write what they like.
      if (values?.length === 0) return { kind: "text", multiline: false, prompt: false };
      return choice(values ?? [], options);
    }
    case "COLOR":
      return { kind: "colour" };
    default:
      return KEPT.has(type) ? { kind: "kept" } : undefined;
  }
}

function number(whole: boolean, options: Fields): Widget {
  const limit = (value: Numeric | undefined, otherwise: number): Numeric =>
    whole ? (value ?? otherwise) : Number(value ?? otherwise);
  const step = numberOf(options.step) ?? 0;
  const after = flagOf(options.control_after_generate) ?? textOf(options.control_after_generate);
  return {
    kind: "number",
    whole,
    min: limit(numericOf(options.min), Number.NEGATIVE_INFINITY),
    max: limit(numericOf(options.max), Number.POSITIVE_INFINITY),
    step: step > 0 ? step : whole ? 1 : 0.1,
    seed: Boolean(after),
    slider: options.display === "slider",
  };
}

function choice(values: Option[], options: Fields): Widget {
  const kinds = ["image", "audio", "video"] as const;
  const upload = kinds.find((kind) => flagOf(options[`${kind}_upload`]));
  return { kind: "choice", options: values, upload, models: textOf(options.model_folder) };
}

function defaultOf(widget: Widget, said: Json | undefined, optional: boolean): Json | undefined {
  if (said !== undefined) return said;
  return !optional && widget.kind === "choice" ? widget.options[0] : undefined;
}
