/** What a workflow says of itself: for its card on the start page, and for its form. A file has it
 * in `extra.soundstage`, where other editors keep it without looking at it. */

import { z } from "zod";
import type { JsonObject, Workflow } from "./model";

/** An input that a form asks for, under a name for people. */
const Ask = z.object({ node: z.string(), input: z.string(), name: z.string() });
/** An input that a form asks for, under a name for people. */
export type Ask = z.infer<typeof Ask>;

const Form = z.object({ first: z.array(Ask), settings: z.array(Ask) });
/** Which inputs a form shows, in their order: what one mostly changes, and the rest. */
export type FormAsks = z.infer<typeof Form>;

const About = z.object({
  title: z.string().catch(""),
  /** A sentence. */
  words: z.string().catch(""),
  category: z.string().catch(""),
  /** Models, by names for people. */
  needs: z.array(z.string()).catch([]),
  /** How long a run takes on two cores. */
  seconds: z.number().positive().optional().catch(undefined),
  /** undefined: the form is made from the graph. */
  form: Form.optional().catch(undefined),
});
/** What a workflow says of itself. */
export type About = z.infer<typeof About>;

const Extra = z.looseObject({ extra: z.looseObject({ soundstage: About }) });
const NOTHING: About = { title: "", words: "", category: "", needs: [] };

/** Of a file of the editor, or of what an open workflow keeps of its file. */
export function aboutOf(file: unknown): About {
  const read = Extra.safeParse(file);
  return read.success ? read.data.extra.soundstage : NOTHING;
}

/** The workflow with other words about itself; what others keep there stays. */
export function withAbout(workflow: Workflow, change: Partial<About>): Workflow {
  const extra = asObject(workflow.kept?.extra);
  const { form, ...words } = { ...asObject(extra.soundstage), ...(change as JsonObject) };
  const soundstage = form === undefined ? words : { ...words, form };
  return { ...workflow, kept: { ...workflow.kept, extra: { ...extra, soundstage } } };
}

const asObject = (value: unknown): JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
