/** What files of earlier years say otherwise: the table that the service reads, too. A value, a name
 * or a type of today is never touched: an old one is replaced only where the node does not know it,
 * and knows the one that took its place. */

import table from "../../../engine/graph/old_files.json";
import type { Catalog, InputKind } from "./kinds";
import type { AfterRun, Json } from "./model";

/** Inputs that files have a control behind, whatever their node. */
export const SEEDS: ReadonlySet<string> = new Set(table.seeds);
const CONTROLS: Readonly<Record<string, string>> = table.controls;
const SPELLINGS: Readonly<Record<string, string>> = { ...table.control_spellings, ...CONTROLS };
const BUTTONS = new Set<Json>(table.upload_buttons);
const PREFIXES: Readonly<Record<string, string[]>> = table.prefixes;
const NODES: Readonly<Record<string, { type: string; inputs?: Record<string, string> }>> =
  table.nodes;
const INPUTS: Readonly<Record<string, Record<string, string>>> = table.inputs;

const own = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;

/** Whether a value is the word for what happens to a number after a run. */
export const isControl = (value: Json): boolean =>
  typeof value === "string" && own(CONTROLS, value) !== undefined;

/** What happens to a number after a run, by what a file has in the place of its control. */
export function controlOf(value: Json): AfterRun {
  const spelled = typeof value === "string" ? value.trim().toLowerCase() : JSON.stringify(value);
  return (own(SPELLINGS, spelled) ?? table.control_otherwise) as AfterRun;
}

/** Whether files have a control behind the value of an input. */
export const hasControl = (input: InputKind): boolean =>
  SEEDS.has(input.name) || (input.widget?.kind === "number" && input.widget.seed);

/** Whether a value may stand in the place of the button of an upload. */
export const isButton = (value: Json): boolean =>
  BUTTONS.has(value) || (typeof value === "object" && !Array.isArray(value));

/** The type of node that an old one is called today, where that is known and the old is not. */
export function presentType(type: string, catalog: Catalog): string {
  const renamed = own(NODES, type);
  return renamed && !catalog.has(type) && catalog.has(renamed.type) ? renamed.type : type;
}

/** What old names of a node's inputs are today; `oldType` as the file says it. */
export function presentNames(type: string, oldType: string): Record<string, string> {
  const renamed = own(NODES, oldType);
  return { ...own(INPUTS, type), ...(renamed?.type === type ? renamed.inputs : {}) };
}

/** The option that an old value of a choice is called today; any other value as it is. */
export function presentValue(input: InputKind, value: Json): Json {
  if (input.widget?.kind !== "choice" || isFiles(input)) return value;
  const options = new Set<Json>(input.widget.options);
  if (options.has(value)) return value;
  if (typeof value === "boolean") {
    const pair = table.booleans.find((both) => both.every((option) => options.has(option)));
    return pair?.[value ? 0 : 1] ?? value;
  }
  if (typeof value !== "string") return value;
  const name = input.name.slice(input.name.lastIndexOf(".") + 1);
  const cut = (own(PREFIXES, name) ?? [])
    .filter((prefix) => value.startsWith(prefix))
    .map((prefix) => value.slice(prefix.length));
  return cut.find((option) => options.has(option)) ?? value;
}

const isFiles = ({ widget }: InputKind): boolean =>
  widget?.kind === "choice" && (widget.upload !== undefined || widget.models !== undefined);
