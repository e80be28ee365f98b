/** Requests to the service, their answers checked. */

import { z } from "zod";
import { readJson, writeJson } from "../graph/json";

// Zod must not try to compile code: the page's policy forbids it, and says so in the console.
z.config({ jitless: true });

/** An answer that says no; `message` is for people. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly nodeErrors: NodeErrors = {},
  ) {
    super(message);
  }
}

/** No answer: the service is away. */
export class Away extends Error {}

/** A list; entries of another shape are left out, so that an odd one hides no other. */
export const listOf = <T>(entry: z.ZodType<T>): z.ZodType<T[]> =>
  z.array(z.unknown()).transform((entries) =>
    entries.flatMap((value) => {
      const read = entry.safeParse(value);
      return read.success ? [read.data] : [];
    }),
  );

const NodeError = z.looseObject({
  type: z.string(),
  message: z.string(),
  details: z.string().catch(""),
  extra_info: z.looseObject({ input_name: z.string().optional() }).catch({}),
});
/** Why nodes of a prompt were refused, by their ids. */
export const NodeErrors = z.record(
  z.string(),
  z.looseObject({ errors: z.array(NodeError), class_type: z.string().optional() }),
);
export type NodeErrors = z.infer<typeof NodeErrors>;

const Problem = z.looseObject({
  error: z.union([
    z.string(),
    z.looseObject({ message: z.string(), details: z.string().catch("") }),
  ]),
  node_errors: NodeErrors.catch({}),
});

/** An address of the service, wherever the page is mounted. */
export const address = (path: string): string => new URL(`api/${path}`, document.baseURI).href;

/** An answer that says yes; throws `Refused` for another one and `Away` for none. */
export async function request(path: string, init?: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(address(path), init);
  } catch {
    throw new Away();
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

async function refusal(answer: Response): Promise<Refused> {
  const read = Problem.safeParse(await answer.json().catch(() => null));
  if (!read.success) return new Refused(answer.status, `${answer.status} ${answer.statusText}`);
  const { error, node_errors } = read.data;
  const message =
    typeof error === "string"
      ? error
      : [error.message, error.details !== error.message ? error.details : ""].join(" ").trim();
  return new Refused(answer.status, message, node_errors);
}

/** An answer as it came, every digit kept. */
export async function fetchJson(path: string): Promise<unknown> {
  const answer = await request(path);
  return readJson(await answer.text());
}

/** A JSON answer of a shape; throws as `request` does. */
export async function get<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  return schema.parse(await fetchJson(path));
}

/** The answer to JSON; throws as `request` does. */
export async function post(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  return request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: writeJson(body),
    signal,
  });
}
