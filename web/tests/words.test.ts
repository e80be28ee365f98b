import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { start } from "../src/strings/start";

const SOURCE = resolve(import.meta.dirname, "../src");
const TEXT = />\s*([^<>{}();=&|]*[A-Za-z]{2}[^<>{}();=&|]*)<\//g;
const NAME = /\s(?:aria-label|title|placeholder|alt|label)="([^"]*[A-Za-z]{2}[^"]*)"/g;

/** Words that stand in a component itself; the beginning of an address is none. */
const bare = (source: string): string[] =>
  [TEXT, NAME]
    .flatMap((pattern) => [...source.matchAll(pattern)].map(([, words]) => `${words}`))
    .filter((words) => words !== "https://");

describe("words", () => {
  it("are seen where they stand in a component", () => {
    const source = '<p title="Two words">\n  Three words more\n</p>';
    expect(bare(source).map((words) => words.trim())).toEqual(["Three words more", "Two words"]);
    expect(bare("<p title={t.title}>{t.words}</p>")).toEqual([]);
  });

  it("stand in strings/ alone", () => {
    const files = readdirSync(SOURCE, { recursive: true, encoding: "utf-8" });
    const found = files
      .filter((name) => name.endsWith(".tsx"))
      .flatMap((name) => bare(readFileSync(join(SOURCE, name), "utf-8")).map((w) => [name, w]));
    expect(files.length).toBeGreaterThan(100);
    expect(found).toEqual([]);
  });

  it("know one from many, and times from the language", () => {
    expect([start.found(0), start.found(1), start.found(2)]).toEqual([
      "0 workflows",
      "1 workflow",
      "2 workflows",
    ]);
    const minute = 60_000;
    expect([5, minute, 90 * minute, 26 * 60 * minute].map(start.when)).toEqual([
      "just now",
      "1 minute ago",
      "1 hour ago",
      "yesterday",
    ]);
  });
});
