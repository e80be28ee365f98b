// Drives @stable-canvas/comfyui-client against a service:
//   node stable_canvas.mjs FOLDER URL TASK [ARGUMENT]
// FOLDER has its node_modules; what a task returns is printed as JSON.
import { createRequire } from "node:module";
import { join } from "node:path";
import { readFileSync } from "node:fs";

const [folder, url, task, argument] = process.argv.slice(2);
const require = createRequire(join(folder, "/"));
const { Client } = require("@stable-canvas/comfyui-client");
const WebSocket = require("ws");

const EVENTS = [
  "status",
  "progress",
  "progress_state",
  "executing",
  "executed",
  "execution_start",
  "execution_cached",
  "execution_success",
  "execution_error",
  "execution_interrupted",
  "b_preview",
  "b_preview_with_metadata",
  "unhandled",
];

const prompt = () => JSON.parse(readFileSync(argument, "utf8"));

/** Resolves with the first event of a name. */
const first = (client, name) => new Promise((resolve) => client.once(name, resolve));

const tasks = {
  /** Submit, follow, fetch what came of it. */
  async picture(client) {
    const heard = [];
    const progress = [];
    for (const name of EVENTS) client.on(name, () => heard.push(name));
    const made = await client.enqueue(prompt(), {
      disable_random_seed: true,
      progress: ({ value, max }) => progress.push([value, max]),
    });
    const files = [];
    for (const image of made.images) {
      const answer = await fetch(image.data);
      const bytes = Buffer.from(await answer.arrayBuffer());
      files.push([answer.status, answer.headers.get("content-type"), bytes.toString("base64")]);
    }
    return { heard, progress, files, id: made.prompt_id };
  },

  /** The same by asking again and again. */
  async polled(client) {
    const made = await client.enqueue_polling(prompt(), {
      disable_random_seed: true,
      polling_ms: 50,
    });
    return { images: made.images.length, status: await client.getPromptStatus(made.prompt_id) };
  },

  /** What it makes of a prompt that is refused, or fails. */
  async refused(client) {
    try {
      await client.enqueue(prompt(), { disable_random_seed: true });
      return null;
    } catch (error) {
      return { name: error.name, message: String(error.message), cause: String(error.cause ?? "") };
    }
  },

  /** Interrupt a running job, take waiting ones out of the queue. */
  async stopped(client) {
    const started = first(client, "execution_start");
    const interrupted = first(client, "execution_interrupted");
    const running = await client.queuePrompt(0, { prompt: prompt(), workflow: {} });
    await started;
    const queue = await client.getQueue();
    await client.interrupt(running.prompt_id);
    const { prompt_id } = await interrupted;
    return {
      running: running.prompt_id,
      listed: queue.Running.map(([, id]) => id),
      interrupted: prompt_id,
    };
  },

  /** Send a picture to the input folder. */
  async uploaded(client) {
    const form = new FormData();
    form.append("image", new Blob([readFileSync(argument)]), "from-node.png");
    form.append("overwrite", "true");
    const answer = await client.fetchApi("/upload/image", { method: "POST", body: form });
    return [answer.status, await answer.json()];
  },

  /** History, and forgetting it. */
  async remembered(client) {
    const made = await client.enqueue(prompt(), { disable_random_seed: true });
    const before = (await client.getHistory()).History.map((entry) => entry.prompt[1]);
    await client.deleteItem("history", made.prompt_id);
    const after = (await client.getHistory()).History.map((entry) => entry.prompt[1]);
    await client.clearItems("history");
    const cleared = (await client.getHistory(10)).History.length;
    return { id: made.prompt_id, before, after, cleared };
  },

  /** Whatever else it asks a service. */
  async asked(client) {
    await client.free({ unload_models: true, free_memory: true });
    await client.storeSetting("Test.Number", 7);
    await client.storeSettings({ "Test.Word": "seven" });
    await client.storeUserData("notes.json", { seven: 7 }, { stringify: true });
    return {
      extensions: await client.getExtensions(),
      embeddings: await client.getEmbeddings(),
      nodes: Object.keys(await client.getNodeDefs()).length,
      device: (await client.getSystemStats()).devices[0].type,
      user: (await client.getUserConfig()).storage,
      settings: await client.getSettings(),
      setting: await client.getSetting("Test.Number"),
      notes: await (await client.getUserData("notes.json")).json(),
      folders: (await client.getModelFolders()).map(({ name }) => name),
      checkpoints: (await client.getModels("checkpoints")).map(({ name }) => name),
      samplers: await client.getSamplers(),
      schedulers: await client.getSchedulers(),
      models: await client.getSDModels(),
      loras: await client.getLoRAs(),
      queue: await client.getQueue(),
    };
  },
};

const client = new Client({ api_host: new URL(url).host, WebSocket, fetch });
const connected = first(client, "connected");
client.connect();
await connected;
try {
  console.log(JSON.stringify(await tasks[task](client)));
} finally {
  client.close();
}
process.exit(0);
