"""The editor in Chromium, painting without a GPU: opening, moving, and an hour of progress."""

from __future__ import annotations

import gzip
import json
import shutil
import statistics
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, ViewportSize, sync_playwright
from rich import print

from benchmarks.service import running
from benchmarks.tables import Measures
from engine.server.editor_page import PAGE

PROGRAMS = ("chromium", "google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu"]
SCREEN: ViewportSize = {"width": 1440, "height": 900}
COLUMNS, WIDE, HIGH = 32, 340, 400
RUNS = 2
STEPS = 60  # of the hand, in each movement
NOTCH = 40  # of the wheel: 30 of them are five times as near
JOBS, JOB_STEPS = 60, 600  # an hour of ten steps a second
SAMPLES = 12  # of the heap, in that hour

WATCH = """
window.seen = { frames: [], changed: 0, long: [] };
new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries()) seen.long.push([startTime, duration]);
}).observe({ type: "longtask", buffered: true });
new MutationObserver(() => { seen.changed = performance.now(); })
  .observe(document, { subtree: true, childList: true, attributes: true });
let last = 0;
const frame = (now) => { seen.frames.push(now - last); last = now; requestAnimationFrame(frame); };
requestAnimationFrame(frame);
"""
# Open: the first moment after which nothing changes and nobody works for half a second.
OPEN = """() => {
  const [at, duration] = seen.long.at(-1) ?? [0, 0];
  const quiet = Math.max(seen.changed, at + duration);
  const drawn = document.querySelector(".react-flow__viewport") !== null;
  return drawn && performance.now() - quiet > 500 ? quiet : 0;
}"""
# Nodes that came into sight are drawn, and ready to be moved.
STILL = "() => performance.now() - seen.changed > 1000"
IDLE = """async () =>
  (await (await fetch("prompt")).json()).exec_info.queue_remaining === 0"""
PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
# A place where the hand meets nothing but the sheet.
EMPTY = """() => {
  for (let reach = 0; reach < 300; reach += 3)
    for (let turn = 0; turn < 16; turn += 1) {
      const [x, y] = [720 + reach * Math.cos(turn), 450 + reach * Math.sin(turn)];
      const under = document.elementFromPoint(x, y);
      if (under.classList.contains("react-flow__pane")) return [x, y];
    }
}"""
# The nodes in which anything changes from now on.
LISTEN = """() => {
  window.touched = new Map();
  new MutationObserver((records) => {
    for (const { target } of records) {
      const element = target instanceof Element ? target : target.parentElement;
      const id = element?.closest(".react-flow__node")?.dataset.id;
      if (id) touched.set(id, (touched.get(id) ?? 0) + 1);
    }
  }).observe(document.querySelector(".react-flow"), {
    subtree: true, childList: true, attributes: true, characterData: true,
  });
}"""


def node(id: int, type: str, values: list[Any], inputs: dict[str, int]) -> dict[str, Any]:
    """One node of an editor's file; inputs by name, with the number of the link into each."""
    sockets = [{"name": name, "type": "*", "link": link} for name, link in inputs.items()]
    return {"id": id, "type": type, "widgets_values": values, "inputs": sockets}


def graph(count: int) -> dict[str, Any]:
    """As many nodes, nearly all with six widgets and two links; the three in the middle can run."""
    nodes: list[dict[str, Any]] = []
    links: list[list[Any]] = []

    def link(origin: int, target: int, slot: int, type: str) -> int:
        links.append([len(links) + 1, origin, 0, target, slot, type])
        return len(links)

    for at in range(count - 3):
        if at % COLUMNS == 0:
            nodes.append(node(at, "CheckpointLoaderSimple", ["demo"], {}))
            continue
        wires = {"model": link(at - at % COLUMNS, at, 0, "MODEL")}
        if at % COLUMNS > 1:
            wires["latent_image"] = link(at - 1, at, 3, "LATENT")
        values = [7, "fixed", 20, 8.0, "euler", "normal", 1.0]
        nodes.append(node(at, "KSampler", values, wires))
    number, sleep, show = range(count - 3, count)
    nodes.append(node(number, "Number", [1, ""], {}))
    nodes.append(node(sleep, "Sleep", [], {"value": link(number, sleep, 0, "INT")}))
    nodes.append(node(show, "Show", [], {"value": link(sleep, show, 0, "INT")}))
    middle = count // COLUMNS // 2 * COLUMNS + COLUMNS // 2
    cells = [cell for cell in range(count) if not middle <= cell < middle + 3]
    for one, cell in zip(nodes, [*cells, middle, middle + 1, middle + 2], strict=True):
        one["pos"] = [cell % COLUMNS * WIDE, cell // COLUMNS * HIGH]
    return {"id": str(uuid.uuid4()), "nodes": nodes, "links": links, "version": 0.4}


def prompt(count: int, value: int) -> dict[str, Any]:
    """The three nodes of `graph(count)` that run; another value is another job."""
    number, sleep, show = (str(count - 3 + at) for at in range(3))
    kinds: dict[str, dict[str, Any]] = {
        "Number": {"value": value},
        "Sleep": {"value": [number, 0], "steps": JOB_STEPS, "seconds": JOB_STEPS / 1000},
        "Show": {"value": [sleep, 0]},
    }
    return {
        id: {"class_type": kind, "inputs": inputs | {"log": ""}}
        for id, (kind, inputs) in zip((number, sleep, show), kinds.items(), strict=True)
    }


def post(url: str, body: object) -> None:
    """Send JSON."""
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    urllib.request.urlopen(request).close()


def first_view_kilobytes() -> float:
    """What the page asks for before anything is clicked: its scripts, compressed."""
    page = PAGE.read_text()
    scripts = [path for path in PAGE.parent.glob("editor/*.js") if path.name in page]
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in scripts) / 1000


class Editor:
    """A page of the editor that is watched."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.devtools: CDPSession = page.context.new_cdp_session(page)
        self.ask("Performance.enable", timeDomain="threadTicks")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give a command of DevTools."""
        return self.devtools.send(method, parameters)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - a bare dict

    def open(self, name: str = "") -> float:
        """Go to the page, with a saved workflow or not; milliseconds until all is there."""
        self.page.goto(f"{self.url}/#saved={name}" if name else self.url)
        return self.page.wait_for_function(OPEN, polling=50).json_value() if name else 0

    def frames(self, move: Callable[[], None]) -> tuple[float, float]:
        """While something moves: p95 of the frames, and the main thread's work for each step.

        Both in milliseconds; the work is time of the processor, whoever else needs it.
        """
        self.page.evaluate("() => { seen.frames = []; }")
        before = self._worked()
        move()
        work = (self._worked() - before) / STEPS
        return statistics.quantiles(self.page.evaluate("() => seen.frames"), n=20)[-1], work

    def _worked(self) -> float:
        metrics = self.ask("Performance.getMetrics")["metrics"]
        return 1e3 * next(one["value"] for one in metrics if one["name"] == "TaskDuration")

    def pan(self) -> None:
        """Drag the sheet to and fro."""
        self.drag(*self.page.evaluate(EMPTY))

    def drag(self, x: float, y: float) -> None:
        """Drag what is there, to and fro."""
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        for step in range(STEPS):
            there = min(step, STEPS - step) * 10
            self.page.mouse.move(x + there, y + there / 2)
        self.page.mouse.up()

    def zoom(self) -> None:
        """Turn the wheel there and back again."""
        self.page.mouse.move(720, 450)
        for step in range(STEPS):
            self.page.mouse.wheel(0, -NOTCH if step < STEPS / 2 else NOTCH)

    def go_to(self, zoom: float) -> None:
        """Turn the wheel until the sheet is as near as that."""
        self.page.mouse.move(700, 420)
        for _ in range(200):
            now = self.page.evaluate(
                "() => new DOMMatrix(getComputedStyle("
                "document.querySelector('.react-flow__viewport')).transform).a"
            )
            if abs(now / zoom - 1) < 0.1:
                break
            self.page.mouse.wheel(0, -30 if now < zoom else 30)
        self.page.wait_for_function(STILL, polling=50)

    def heap_megabytes(self) -> float:
        """What is left after all garbage is collected."""
        for _ in range(3):
            self.ask("HeapProfiler.collectGarbage")
        return self.ask("Runtime.getHeapUsage")["usedSize"] / 1e6


@contextmanager
def opened(browser: Browser, url: str) -> Generator[Editor]:
    """An editor in a fresh profile."""
    context = browser.new_context(viewport=SCREEN)
    page = context.new_page()
    page.add_init_script(WATCH)
    try:
        yield Editor(page, url)
    finally:
        context.close()


def measure_start(browser: Browser, url: str, measures: Measures) -> None:
    """The start page: first paint."""
    painted: list[float] = []
    for _ in range(RUNS):
        with opened(browser, url) as editor:
            editor.open()
            painted.append(editor.page.wait_for_function(PAINTED).json_value())
    measures.add("start page: first paint", painted, "ms", "<= 500 ms")


def measure_moves(browser: Browser, url: str, count: int, measures: Measures) -> None:
    """Opening a graph, and frames of pan and zoom, from far to near."""
    loads: list[float] = []
    moves: dict[str, list[tuple[float, float]]] = {}
    for _ in range(RUNS):
        with opened(browser, url) as editor:
            loads.append(editor.open(f"big{count}"))
            for where, zoom in {"all in view": None, "at 50 %": 0.5, "at 100 %": 1.0}.items():
                if zoom:
                    editor.go_to(zoom)
                for what, move in {"pan": editor.pan, "zoom": editor.zoom}.items():
                    moves.setdefault(f"{what}, {where}", []).append(editor.frames(move))
    usual = count == 500
    measures.add(f"{count} nodes: open", loads, "ms", "<= 1200 ms" if usual else "")
    for what, found in moves.items():
        frames, work = zip(*found, strict=True)
        measures.add(f"{count} nodes: {what}: p95", frames, "ms", "<= 17 ms" if usual else "")
        measures.add(f"{count} nodes: {what}: work a step", work, "ms")


def measure_progress(browser: Browser, url: str, measures: Measures) -> None:
    """An hour's events: which nodes change, and what is left in memory."""
    count = 500
    document = graph(count)
    save(url, f"big{count}", document)
    told = 0

    def hear(_: object) -> None:
        nonlocal told
        told += 1

    with opened(browser, url) as editor:
        editor.devtools.on("Network.webSocketFrameReceived", hear)
        editor.ask("Network.enable")
        editor.open(f"big{count}")
        editor.go_to(0.5)
        client = editor.page.evaluate("() => localStorage.getItem('soundstage.client')")
        editor.page.evaluate(LISTEN)
        heap: list[float] = []
        for job in range(JOBS):
            extra = {"client_id": client, "extra_pnginfo": {"workflow": document}}
            body = {"prompt": prompt(count, job), "client_id": client, "extra_data": extra}
            post(f"{url}/prompt", body)
            editor.page.wait_for_function(IDLE, polling=50)
            if (job + 1) % (JOBS // SAMPLES) == 0:
                heap.append(editor.heap_megabytes())
        touched = editor.page.evaluate("() => [...touched.keys()]")
    measures.add("messages in an hour's events", [told], "")
    measures.add("nodes that they changed", [len(touched)], "", "<= 3 of 500")
    half = SAMPLES // 2
    measures.add("heap in the first half hour", heap[:half], "MB")
    measures.add("heap in the second half hour", heap[half:], "MB", "as before")


def save(url: str, name: str, document: object) -> None:
    """Keep a workflow for the editor to open."""
    path = urllib.parse.quote(f"workflows/{name}.json", safe="")
    post(f"{url}/userdata/{path}?overwrite=true", document)


def main() -> None:
    """Measure and print."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None or not PAGE.is_file():
        print("skipped: it wants Chromium, and the editor built (make web)")
        return
    measures = Measures("The editor in Chromium, without a GPU")
    measures.add("scripts of the first view, gzip", [first_view_kilobytes()], "kB", "<= 300 kB")
    with running(flags=["--nodes", "tests.pack"]) as service, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        measure_start(browser, service.url, measures)
        for count in (500, 2000):
            save(service.url, f"big{count}", graph(count))
            measure_moves(browser, service.url, count, measures)
        measure_progress(browser, service.url, measures)
        browser.close()
    measures.print()


if __name__ == "__main__":
    main()
