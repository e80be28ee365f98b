/** What the nodes of a job are called: as in the open workflow, or as in the job's own prompt. */

import { useMemo } from "react";
import { z } from "zod";
import type { Catalog } from "../graph/kinds";
import { titleOf } from "../graph/kinds";
import { locate } from "../graph/locate";
import type { Workflow } from "../graph/model";
import { useCatalog } from "../stores/catalog";
import type { Tab } from "../stores/documents";

/** What a node of a job is called. */
export interface Name {
  title: string;
  /** What flows out of it, for its colour. */
  type: string;
  /** It stands in the open workflow. */
  here: boolean;
}
/** Names by a prompt's ids. */
export type Names = (id: string) => Name;

const Prompt = z.record(
  z.string(),
  z
    .looseObject({
      class_type: z.string(),
      _meta: z.looseObject({ title: z.string() }).optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
);

/** Names by a prompt's ids; `own`: the job is one of the open workflow. */
export function useNames(tab: Tab, own: boolean, prompt: unknown): Names {
  const catalog = useCatalog((state) => state.catalog);
  const workflow = tab.history.present;
  return useMemo(
    () => names(own ? workflow : undefined, catalog, prompt),
    [workflow, own, prompt, catalog],
  );
}

function names(workflow: Workflow | undefined, catalog: Catalog, prompt: unknown): Names {
  const read = Prompt.safeParse(prompt);
  const known = new Map<string, Name>();
  const find = (id: string): Name => {
    const place = workflow && locate(workflow, id);
    if (place && workflow) {
      const { node } = place;
      const type = catalog.get(node.type)?.outputs[0]?.type ?? "*";
      return { title: titleOf(workflow, node, catalog), type, here: true };
    }
    const sent = read.success ? (read.data[id] ?? read.data[id.split(".")[0] ?? ""]) : undefined;
    const kind = catalog.get(sent?.class_type ?? "");
    const title = sent?._meta?.title ?? kind?.title ?? sent?.class_type ?? id;
    return { title, type: kind?.outputs[0]?.type ?? "*", here: false };
  };
  return (id) => {
    const name = known.get(id) ?? find(id);
    known.set(id, name);
    return name;
  };
}
