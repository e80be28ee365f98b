import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const SERVICE = "http://127.0.0.1:8188";
const ROUTES = ["/api", "/ws"];

export default defineConfig({
  plugins: [react()],
  base: "./",
  build: {
    outDir: "../engine/server/static",
    emptyOutDir: true,
    assetsDir: "editor",
    // The page may load nothing but its own files: no styles or pictures inside of them.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 900,
    modulePreload: { polyfill: false },
  },
  server: {
    // The table of old files is the service's.
    fs: { allow: [".."] },
    // `npm run dev` beside `soundstage serve`; the service refuses pages of another origin.
    proxy: Object.fromEntries(
      ROUTES.map((route) => [
        route,
        { target: SERVICE, ws: true, changeOrigin: true, headers: { origin: SERVICE } },
      ]),
    ),
  },
  test: {
    globalSetup: "tests/service.ts",
    setupFiles: "tests/examples.ts",
    include: ["tests/**/*.test.ts"],
    maxWorkers: 1,
    testTimeout: 300_000,
  },
});
