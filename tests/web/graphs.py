"""Prompts that the editor's tests open, and ways to open them."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page, expect

from tests import bundled, patience

Prompt = dict[str, Any]


def picture(steps: int = 4, seed: int = 7) -> Prompt:
    """The bundled workflow's picture, without its voice."""
    prompt = bundled.prompt("hello")
    kept = {id: node for id, node in prompt.items() if int(id) < 9}
    kept["5"]["inputs"] |= {"steps": steps, "seed": seed}
    return kept


# Looks, until it finds it or so many milliseconds are over, for a workflow with these words among
# those that the browser keeps. The store is the page's to make: where there is none yet, none is
# made. (A page's `wait_for_function` would take the promise itself for a yes.)
KEPT = """async ([words, patience]) => {
  const there = () => new Promise((tell) => {
    const opening = indexedDB.open("keyval-store");
    opening.onupgradeneeded = () => opening.transaction.abort();
    opening.onerror = () => tell(false);
    opening.onsuccess = () => {
      const store = opening.result.transaction("keyval").objectStore("keyval");
      store.getAll().onsuccess = ({ target }) => {
        opening.result.close();
        const plain = (_, value) => (typeof value === "bigint" ? String(value) : value);
        tell(JSON.stringify(target.result, plain).includes(words));
      };
    };
  });
  const end = performance.now() + patience;
  while (!(await there())) {
    if (performance.now() > end) return false;
    await new Promise((next) => setTimeout(next, 50));
  }
  return true;
}"""


def kept(page: Page, words: str) -> None:
    """Wait until the browser keeps a workflow with these words in its JSON."""
    assert page.evaluate(KEPT, [words, patience.MILLISECONDS]), f"no draft with {words} is kept"


# Done when nothing of the sheet moves or comes from one frame to the next, and all is measured.
RESTS = """async () => {
  const frame = () => new Promise(requestAnimationFrame);
  const look = () => {
    const sheet = document.querySelector(".react-flow__viewport");
    const parts = [...(sheet?.querySelectorAll(".react-flow__node, .react-flow__edge") ?? [])];
    if (parts.some((part) => part.style.visibility === "hidden")) return null;
    return [sheet?.style.transform, ...parts.map((part) => part.style.transform)].join();
  };
  for (let [before, now] = [null, look()]; now === null || now !== before; now = look()) {
    before = now;
    await frame();
    await frame();
  }
  return true;
}"""


def rest(page: Page) -> None:
    """Wait until the sheet, where there is one, rests: places on it can be read."""
    page.wait_for_function(RESTS)


def drop(page: Page, name: str, data: bytes, kind: str) -> None:
    """Let a file fall onto the page."""
    page.locator(".page").wait_for()
    page.evaluate(
        """async ([name, kind, bytes]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], name, { type: kind }));
          const target = document.querySelector(".page");
          const init = { bubbles: true, cancelable: true, dataTransfer: transfer };
          for (const type of ["dragenter", "dragover", "drop"])
            target.dispatchEvent(new DragEvent(type, init));
        }""",
        [name, kind, list(data)],
    )


def opened(page: Page, document: Any, name: str = "graph") -> None:
    """Open a document by letting it fall onto the page."""
    expect(page.get_by_role("heading", name="Make pictures and voices")).to_be_visible()
    drop(page, f"{name}.json", json.dumps(document).encode(), "application/json")
    expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
    rest(page)
