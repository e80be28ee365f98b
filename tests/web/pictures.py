"""The pictures of the documentation, taken from the editor as it is: `make pictures`.

    python -m tests.web.pictures [NAME ...]

They are made by hand when the editor looks different, and looked at; no test compares them.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from engine.models.pull import pull
from tests import browser as chromium
from tests import patience
from tests.conftest import CHECKOUT, start_service

DOCS = CHECKOUT / "docs" / "pictures"
DESK: ViewportSize = {"width": 1440, "height": 860}
PHONE: ViewportSize = {"width": 390, "height": 780}
QUALITY = 82
SETTLED = 900


def card(page: Page, title: str) -> None:
    page.get_by_role("button", name=title, exact=True).click()
    expect(page.get_by_role("region", name="Graph")).to_be_visible()


def as_form(page: Page, title: str) -> None:
    page.get_by_role("button", name=f"Open {title} as a form").click()


def run(page: Page) -> None:
    page.get_by_role("button", name="Run", exact=True).click()


def finished(page: Page) -> None:
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()


def start(page: Page) -> None:
    expect(page.locator(".card").first).to_be_visible()


def graph(page: Page) -> None:
    card(page, "A picture and a voice")
    # Not all of it from the cache.
    page.get_by_role("spinbutton", name="seed").fill(str(page.evaluate("Date.now() % 1000")))
    run(page)
    expect(page.locator(".react-flow__node .sound")).to_be_visible()
    finished(page)


def running(page: Page) -> None:
    card(page, "A picture from words")
    page.get_by_role("spinbutton", name="steps").fill("400")
    run(page)
    expect(page.get_by_role("img", name="Preview of the picture so far")).to_be_visible()


def palette(page: Page) -> None:
    graph(page)
    page.mouse.dblclick(420, 640)
    page.keyboard.type("blend")


def panel(name: str) -> Callable[[Page], None]:
    def opened(page: Page) -> None:
        graph(page)
        page.get_by_title(name, exact=True).click()
        page.wait_for_timeout(SETTLED)
        page.get_by_role("button", name="Show everything").click()

    return opened


def outline(page: Page) -> None:
    panel("Outline")(page)
    page.locator(".outline > li").nth(4).get_by_role("button").first.click()


def subgraph(page: Page) -> None:
    card(page, "One recipe, used twice")
    page.get_by_role("button", name="Look inside of Draw it").first.click()


def form(page: Page) -> None:
    as_form(page, "Show and tell")
    run(page)
    expect(page.locator(".form-result .sound")).to_be_visible()
    finished(page)


def form_edit(page: Page) -> None:
    form(page)
    page.get_by_role("button", name="Edit this form").click()


def form_phone(page: Page) -> None:
    as_form(page, "A picture from words")
    page.get_by_role("button", name="Run", exact=True).tap()
    expect(page.locator(".form-result img")).to_be_visible()
    finished(page)


VIEWS: dict[str, tuple[Callable[[Page], None], dict[str, Any]]] = {
    # First, as nothing is in the cache then.
    "timeline": (panel("Timeline of the run"), {}),
    "start": (start, {}),
    "start-dark": (start, {"color_scheme": "dark"}),
    "graph": (graph, {}),
    "graph-dark": (graph, {"color_scheme": "dark"}),
    "running": (running, {}),
    "palette": (palette, {}),
    "outline": (outline, {}),
    "queue": (panel("Queue"), {}),
    "results": (panel("Results"), {}),
    "subgraph": (subgraph, {}),
    "form": (form, {}),
    "form-edit": (form_edit, {"color_scheme": "dark"}),
    "phone-start": (start, {"viewport": PHONE, "has_touch": True, "is_mobile": True}),
    "phone-form": (form_phone, {"viewport": PHONE, "has_touch": True, "is_mobile": True}),
}


def voice() -> Path:
    """The folder of the default voice; fetched where it is not there yet."""
    models = Path(os.environ.get("SOUNDSTAGE_HOME", CHECKOUT / "home")) / "models"
    pull("kokoro", models, lambda file, done, total: None)
    return models / "kokoro"


def take(browser: Browser, url: str, name: str) -> None:
    """Come to a view and keep a picture of it."""
    reach, given = VIEWS[name]
    options = dict(given)
    viewport: ViewportSize = options.pop("viewport", DESK)
    context = browser.new_context(viewport=viewport, reduced_motion="reduce", **options)
    page = context.new_page()
    page.set_default_timeout(patience.MILLISECONDS)
    page.goto(url)
    reach(page)
    page.mouse.move(0, 0)
    page.wait_for_timeout(SETTLED)
    with Image.open(BytesIO(page.screenshot())) as shot:
        full = shot.convert("RGB")
        full.save(DOCS / f"{name}.webp", quality=QUALITY, method=6)
    stop = page.get_by_role("button", name="Stop")
    if stop.is_visible():
        stop.click()
        expect(stop).to_be_hidden()
    context.close()


def main(names: list[str]) -> None:
    """Take the named pictures, or all."""
    program = chromium.find()
    if program is None:
        sys.exit("no Chromium; on Debian: apt install chromium-headless-shell")
    expect.set_options(timeout=patience.MILLISECONDS)
    DOCS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder)
        (home / "models").mkdir()
        (home / "models" / "kokoro").symlink_to(voice())
        service = start_service(home)
        try:
            with chromium.running(program, home / "chromium") as address:
                browser = playwright.chromium.connect_over_cdp(address)
                for name in names or VIEWS:
                    take(browser, service.url, name)
        finally:
            service.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
