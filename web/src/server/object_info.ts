/** GET /object_info, checked and read into a catalog; one bad entry spoils no other. */

import { z } from "zod";
import { AnyJson } from "../graph/json";
import {
  type Catalog,
  type InputKind,
  type NodeKind,
  OWN_KINDS,
  type Widget,
} from "../graph/kinds";
import type { Json } from "../graph/model";
import type { Numeric } from "../graph/numbers";

const Option = z.union([z.string(), z.number(), z.boolean()]);
const flag = z.boolean().optional().catch(undefined);
const number = z.number().optional().catch(undefined);
const numeric = z.union([z.number(), z.bigint()]).optional().catch(undefined);

const Options = z.looseObject({
  default: AnyJson.optional(),
  min: numeric,
  max: numeric,
  step: number,
  multiline: flag,
  dynamicPrompts: flag,
  forceInput: flag,
  control_after_generate: z.union([z.boolean(), z.string()]).optional().catch(undefined),
  image_upload: flag,
  audio_upload: flag,
  video_upload: flag,
  display: z.string().optional().catch(undefined),
  tooltip: z.string().optional().catch(undefined),
  widgetType: z.string().optional().catch(undefined),
  model_folder: z.string().optional().catch(undefined),
  options: z.array(Option).optional().catch(undefined),
  label_on: z.string().optional().catch(undefined),
  label_off: z.string().optional().catch(undefined),
});
const Input = z.union([z.tuple([z.union([z.string(), z.array(Option)])], z.unknown())]);
const Inputs = z.record(z.string(), z.unknown()).nullish();
const InputGroups = z.looseObject({ required: Inputs, optional: Inputs });
const Variants = z.looseObject({
  options: z.array(z.looseObject({ key: Option, inputs: InputGroups })),
});
const Growing = z.looseObject({
  template: z.looseObject({
    input: InputGroups,
    min: z.int().min(0).catch(0),
    names: z.array(z.string()).optional(),
    prefix: z.string().optional(),
    max: z.int().max(1000).optional(),
  }),
});
const Matching = z.looseObject({ template: z.looseObject({ allowed_types: z.string() }) });
const Entry = z.looseObject({
  input: InputGroups,
  input_unlisted: Inputs,
  input_order: z
    .looseObject({
      required: z.array(z.string()).optional(),
      optional: z.array(z.string()).optional(),
    })
    .nullish(),
  output: z.array(z.union([z.string(), z.array(Option)])).nullish(),
  output_name: z.array(z.string()).nullish().catch(null),
  output_tooltips: z.array(z.string().nullable()).nullish().catch(null),
  display_name: z.string().nullish(),
  description: z.string().nullish().catch(null),
  category: z.string().nullish().catch(null),
  output_node: z.boolean().nullish().catch(null),
  deprecated: z.boolean().nullish().catch(null),
  experimental: z.boolean().nullish().catch(null),
  search_aliases: z.array(z.string()).nullish().catch(null),
});

type Entry = z.infer<typeof Entry>;
type Options = z.infer<typeof Options>;

/** The kinds that could be read, and which could not. */
export interface ReadCatalog {
  catalog: Catalog;
  /** Kinds whose entry could not be read. */
  unreadable: string[];
}

/** The answer of GET /object_info as a catalog; throws where it is no object at all. */
export function readCatalog(document: unknown): ReadCatalog {
  const entries = z.record(z.string(), z.unknown()).parse(document);
  const catalog = new Map<string, NodeKind>(OWN_KINDS.map((kind) => [kind.id, kind]));
  const unreadable: string[] = [];
  for (const [id, entry] of Object.entries(entries)) {
    const read = Entry.safeParse(entry);
    if (read.success) catalog.set(id, readKind(id, read.data));
    else unreadable.push(id);
  }
  return { catalog, unreadable };
}

function readKind(id: string, entry: Entry): NodeKind {
  // Inputs of which ComfyUI's app must not be told come beside the others.
  const inputs = [
    ...readInputs(entry.input, entry.input_order ?? {}),
    ...readInputs({ optional: entry.input_unlisted }, {}),
  ];
  return {
    id,
    title: entry.display_name || id,
    category: entry.category ?? "",
    description: entry.description ?? "",
    inputs,
    outputs: (entry.output ?? []).map((type, slot) => {
      const named = typeof type === "string" ? type : "COMBO";
      const tooltip = entry.output_tooltips?.[slot] ?? undefined;
      return { name: entry.output_name?.[slot] || named, type: named, tooltip };
    }),
    shows: entry.output_node ?? false,
    deprecated: entry.deprecated ?? false,
    experimental: entry.experimental ?? false,
    aliases: entry.search_aliases ?? [],
    dynamic: inputs.some((input) => input.variants || input.slots),
  };
}

type Groups = z.infer<typeof InputGroups>;

function readInputs(
  groups: Groups,
  order: { required?: string[]; optional?: string[] },
): InputKind[] {
  return (["required", "optional"] as const).flatMap((part) => {
    const declared = groups[part] ?? {};
    const listed = (order[part] ?? []).filter((name) => name in declared);
    const names = [...new Set([...listed, ...Object.keys(declared)])];
    return names.map((name) => readInput(name, declared[name], part === "optional"));
  });
}

function readInput(name: string, declared: unknown, optional: boolean): InputKind {
  const read = Input.safeParse(declared);
  if (!read.success) return { name, type: "*", optional };
  const [type, given] = read.data;
  const special = typeof type === "string" ? readSpecial(name, type, given, optional) : undefined;
  if (special) return special;
  const options = Options.catch({}).parse(given ?? {});
  // A type of its own may ask for the widget of a known one.
  const hinted =
    options.widgetType === undefined ? undefined : widgetOf(options.widgetType, options);
  const widget = options.forceInput ? undefined : (hinted ?? widgetOf(type, options));
  return {
    name,
    type: typeof type === "string" ? type : "COMBO",
    optional,
    widget,
    default: widget && defaultOf(widget, options, optional),
    tooltip: options.tooltip,
  };
}

/** Inputs that bring others, that grow, or that take what another one takes. */
function readSpecial(
  name: string,
  type: string,
  given: unknown,
  optional: boolean,
): InputKind | undefined {
  const { tooltip } = Options.catch({}).parse(given ?? {});
  if (type === "COMFY_DYNAMICCOMBO_V3") {
    const { options } = Variants.catch({ options: [] }).parse(given);
    const variants = options.map(({ key, inputs }) => ({ key, inputs: readInputs(inputs, {}) }));
    const keys = variants.map(({ key }) => key);
    const widget: Widget = { kind: "choice", options: keys };
    return { name, type: "COMBO", optional, widget, default: keys[0], tooltip, variants };
  }
  if (type === "COMFY_AUTOGROW_V3") {
    const read = Growing.safeParse(given);
    if (!read.success) return undefined;
    const { input, min: least, names, prefix = "", max = 50 } = read.data.template;
    const [slot] = readInputs(input, {});
    if (!slot) return undefined;
    const all = names ?? Array.from({ length: max }, (_, position) => `${prefix}${position}`);
    return { name, type: slot.type, optional, tooltip, slots: { names: all, least, slot } };
  }
  if (type === "COMFY_MATCHTYPE_V3") {
    const read = Matching.safeParse(given);
    return { name, type: read.data?.template.allowed_types ?? "*", optional, tooltip };
  }
  return undefined;
}

/** Types that stand for a widget which this editor has no control for. */
const KEPT = new Set(["IMAGECOMPARE", "RESOLUTION_PREVIEW", "COLORS", "CURVE", "BOUNDING_BOX"]);

function widgetOf(type: string | z.infer<typeof Option>[], options: Options): Widget | undefined {
  if (typeof type !== "string") return choice(type, options);
  const [first] = type.split(",");
  switch (first) {
    case "INT":
      return numberOf(true, options);
    case "FLOAT":
      return numberOf(false, options);
    case "STRING":
      return {
        kind: "text",
        multiline: options.multiline ?? false,
        prompt: options.dynamicPrompts ?? false,
      };
    case "BOOLEAN":
      return { kind: "toggle", on: options.label_on, off: options.label_off };
    case "COMBO":
      // Without options people write what they like.
      if (options.options?.length === 0) return { kind: "text", multiline: false, prompt: false };
      return choice(options.options ?? [], options);
    case "COLOR":
      return { kind: "colour" };
    default:
      return KEPT.has(type) ? { kind: "kept" } : undefined;
  }
}

function numberOf(whole: boolean, options: Options): Widget {
  const limit = (value: Numeric | undefined, otherwise: number): Numeric =>
    whole ? (value ?? otherwise) : Number(value ?? otherwise);
  return {
    kind: "number",
    whole,
    min: limit(options.min, Number.NEGATIVE_INFINITY),
    max: limit(options.max, Number.POSITIVE_INFINITY),
    step: options.step && options.step > 0 ? options.step : whole ? 1 : 0.1,
    seed: Boolean(options.control_after_generate),
    slider: options.display === "slider",
  };
}

function choice(options: z.infer<typeof Option>[], given: Options): Widget {
  const kinds = ["image", "audio", "video"] as const;
  const upload = kinds.find((kind) => given[`${kind}_upload`]);
  return { kind: "choice", options, upload, models: given.model_folder };
}

function defaultOf(widget: Widget, options: Options, optional: boolean): Json | undefined {
  if (options.default !== undefined) return options.default;
  if (optional) return undefined;
  switch (widget.kind) {
    case "choice":
      return widget.options[0];
    default:
      return undefined;
  }
}
