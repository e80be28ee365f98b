/** The service's WebSocket: connected again whenever it breaks, its frames checked. */

import { z } from "zod";
import { readJson } from "../graph/json";

const id = z.string();
const Progress = z.looseObject({
  value: z.number(),
  max: z.number(),
  state: z.string(),
  display_node_id: z.string().nullish(),
});

const Message = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("status"),
    data: z.looseObject({
      status: z.looseObject({ exec_info: z.looseObject({ queue_remaining: z.number() }) }),
    }),
  }),
  z.object({
    type: z.literal("execution_start"),
    data: z.looseObject({ prompt_id: id, timestamp: z.number().optional() }),
  }),
  z.object({
    type: z.literal("execution_cached"),
    data: z.looseObject({ prompt_id: id, nodes: z.array(id) }),
  }),
  z.object({
    type: z.literal("progress_state"),
    data: z.looseObject({ prompt_id: id, nodes: z.record(id, Progress) }),
  }),
  z.object({
    type: z.literal("executing"),
    data: z.looseObject({ prompt_id: id.optional(), node: id.nullable() }),
  }),
  z.object({
    type: z.literal("executed"),
    data: z.looseObject({
      prompt_id: id,
      node: id,
      output: z.record(z.string(), z.unknown()).nullable(),
    }),
  }),
  z.object({
    type: z.enum(["execution_success", "execution_interrupted"]),
    data: z.looseObject({ prompt_id: id }),
  }),
  z.object({
    type: z.literal("execution_error"),
    data: z.looseObject({
      prompt_id: id,
      node_id: id.nullish(),
      exception_message: z.string().catch(""),
    }),
  }),
]);
export type Message = z.infer<typeof Message>;

export interface Preview {
  node: string;
  prompt: string;
  picture: Blob;
}

export interface Listener {
  message(message: Message): void;
  preview(preview: Preview): void;
  /** The connection stands, or stands again: what was missed must be asked for. */
  open(): void;
  closed(): void;
}

const WAITS = [250, 500, 1000, 2000, 4000];
const PREVIEW_WITH_METADATA = 4;
const PreviewMeta = z.looseObject({ node_id: id, prompt_id: id, image_type: z.string() });

/** Listens until the returned function is called. */
export function listen(client: string, listener: Listener): () => void {
  let socket: WebSocket | undefined;
  let timer: number | undefined;
  let tries = 0;
  let over = false;
  const connect = (): void => {
    const url = new URL(`ws?clientId=${encodeURIComponent(client)}`, document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      tries = 0;
      const flags = { supports_preview_metadata: true };
      socket?.send(JSON.stringify({ type: "feature_flags", data: flags }));
      listener.open();
    };
    socket.onmessage = ({ data }) => receive(data, listener);
    socket.onclose = () => {
      if (over) return;
      listener.closed();
      timer = window.setTimeout(connect, WAITS[Math.min(tries, WAITS.length - 1)]);
      tries += 1;
    };
  };
  connect();
  return () => {
    over = true;
    window.clearTimeout(timer);
    socket?.close();
  };
}

function receive(frame: string | ArrayBuffer, listener: Listener): void {
  if (typeof frame === "string") {
    const read = Message.safeParse(parsed(frame));
    if (read.success) listener.message(read.data);
  } else {
    const preview = readPreview(frame);
    if (preview) listener.preview(preview);
  }
}

function parsed(text: string): unknown {
  try {
    return readJson(text);
  } catch {
    return undefined;
  }
}

/** A binary frame: event 4, the length of its JSON, the JSON, the picture; big-endian. */
function readPreview(frame: ArrayBuffer): Preview | undefined {
  if (frame.byteLength < 8) return undefined;
  const view = new DataView(frame);
  const length = view.getUint32(4);
  if (view.getUint32(0) !== PREVIEW_WITH_METADATA || 8 + length > frame.byteLength)
    return undefined;
  const meta = PreviewMeta.safeParse(parsed(new TextDecoder().decode(frame.slice(8, 8 + length))));
  if (!meta.success) return undefined;
  const { node_id, prompt_id, image_type } = meta.data;
  const picture = new Blob([frame.slice(8 + length)], { type: image_type });
  return { node: node_id, prompt: prompt_id, picture };
}
