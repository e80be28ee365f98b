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

/** When a node ran; see `run/progress.ts`. */
export const Spans = z.record(
  id,
  z.object({
    lane: z.string(),
    began: z.number(),
    seconds: z.number().optional(),
    loading: z.number().optional(),
  }),
);

const Message = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("status"),
    data: z.looseObject({
      status: z.looseObject({
        exec_info: z.looseObject({ queue_remaining: z.number() }),
        worker_paused: z.string().optional(),
      }),
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
    data: z.looseObject({ prompt_id: id, nodes: z.record(id, Progress), spans: Spans.optional() }),
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
/** What the service says of jobs. */
export type Message = z.infer<typeof Message>;

/** What a node is about to give. */
export interface Preview {
  node: string;
  prompt: string;
  picture: Blob;
}

/** The next piece of what a node is about to give, a WAV file. */
export interface Sound {
  node: string;
  prompt: string;
  /** Counts from 0. */
  number: number;
  file: ArrayBuffer;
}

/** Who is told of what comes. */
export interface Listener {
  message(message: Message): void;
  preview(preview: Preview): void;
  sound(sound: Sound): void;
  /** The connection stands, or stands again: what was missed must be asked for. */
  open(): void;
  closed(): void;
}

const WAITS = [250, 500, 1000, 2000, 4000];
const PREVIEW_WITH_METADATA = 4;
const SOUND = 1001;
const PreviewMeta = z.looseObject({ node_id: id, prompt_id: id, image_type: z.string() });
const SoundMeta = z.looseObject({ node_id: id, prompt_id: id, number: z.number() });

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
      const flags = { supports_preview_metadata: true, soundstage: true };
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
    receiveBinary(frame, listener);
  }
}

function parsed(text: string): unknown {
  try {
    return readJson(text);
  } catch {
    return undefined;
  }
}

/** A binary frame: what it is, the length of its JSON, the JSON, a file; big-endian. */
function receiveBinary(frame: ArrayBuffer, listener: Listener): void {
  if (frame.byteLength < 8) return;
  const view = new DataView(frame);
  const [event, length] = [view.getUint32(0), view.getUint32(4)];
  if (8 + length > frame.byteLength) return;
  const said = parsed(new TextDecoder().decode(frame.slice(8, 8 + length)));
  const file = frame.slice(8 + length);
  if (event === PREVIEW_WITH_METADATA) {
    const meta = PreviewMeta.safeParse(said);
    if (!meta.success) return;
    const { node_id: node, prompt_id: prompt, image_type: type } = meta.data;
    listener.preview({ node, prompt, picture: new Blob([file], { type }) });
  } else if (event === SOUND) {
    const meta = SoundMeta.safeParse(said);
    if (!meta.success) return;
    const { node_id: node, prompt_id: prompt, number } = meta.data;
    listener.sound({ node, prompt, number, file });
  }
}
