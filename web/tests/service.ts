/** A real service for all tests: its catalog, its converter, and the templates' folder. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { TestProject } from "vitest/node";

const CHECKOUT = resolve(import.meta.dirname, "../..");
const OWN_PYTHON = join(CHECKOUT, ".venv/bin/python");
const PYTHON = process.env.PYTHON ?? (existsSync(OWN_PYTHON) ? OWN_PYTHON : "python3");
const TEMPLATES = `
import importlib.util
spec = importlib.util.find_spec("comfyui_workflow_templates_json")
print(*(spec.submodule_search_locations if spec else []), sep="\\n")
`;

declare module "vitest" {
  export interface ProvidedContext {
    service: string;
    python: string;
    templates: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const home = mkdtempSync(join(tmpdir(), "soundstage-"));
  const flags = ["-m", "engine.cli", "serve", "--home", home, "--port", "0", "--no-preload"];
  const service = spawn(PYTHON, flags, { cwd: CHECKOUT, stdio: ["ignore", "pipe", "inherit"] });
  project.provide("service", await address(service));
  project.provide("python", PYTHON);
  const found = spawnSync(PYTHON, ["-c", TEMPLATES], { encoding: "utf-8" });
  project.provide("templates", found.stdout.split("\n")[0] ?? "");
  return async () => {
    const ended = new Promise((done) => service.once("exit", done));
    service.kill("SIGTERM");
    await ended;
    rmSync(home, { recursive: true, force: true });
  };
}

function address(service: ChildProcess): Promise<string> {
  return new Promise((found, failed) => {
    let said = "";
    service.once("exit", (code) => failed(new Error(`the service exited with ${code}: ${said}`)));
    service.stdout?.on("data", (chunk: Buffer) => {
      said += chunk;
      const listens = /^Soundstage listens on (\S+)/m.exec(said);
      if (listens?.[1]) found(listens[1]);
    });
  });
}
