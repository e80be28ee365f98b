"""What the editor's tests share: a service with the demo model, visitors with a browser."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    ViewportSize,
    expect,
    sync_playwright,
)

from engine.server.editor_page import PAGE
from tests import patience
from tests.conftest import Service, start_service

DESK: ViewportSize = {"width": 1440, "height": 900}


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """The browser of all tests, where there is an editor to look at."""
    if not PAGE.is_file():
        pytest.skip("the editor is not built; make web, which wants Node")
    expect.set_options(timeout=patience.MILLISECONDS)
    playwright: Playwright
    with sync_playwright() as playwright:
        yield playwright.chromium.connect_over_cdp(chromium)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the module's service; the demo model needs nothing in it."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def editor(home: Path) -> Iterator[Service]:
    """A service for a module's tests."""
    started = start_service(home)
    yield started
    started.stop()


@dataclass
class Visitor:
    """A person with a browser of their own, who remembers what went wrong."""

    context: BrowserContext
    url: str
    complaints: list[str] = field(default_factory=list[str])

    def open(self, address: str = "") -> Page:
        """A page on the editor's start, or at an address below it."""
        page = self.context.new_page()
        page.set_default_timeout(patience.MILLISECONDS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("request", lambda request: self._see(request.url))
        page.goto(self.url + address)
        return page

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error":
            self.complaints.append(text)

    def _see(self, url: str) -> None:
        if not url.startswith((self.url, "blob:")):
            self.complaints.append(f"asked for {url}")


@contextmanager
def visit(
    browser: Browser, url: str, viewport: ViewportSize = DESK, **options: Any
) -> Generator[Visitor]:
    """Somebody who leaves again."""
    context = browser.new_context(viewport=viewport, **options)
    try:
        yield Visitor(context, url)
    finally:
        context.close()


@pytest.fixture
def visitor(browser: Browser, editor: Service) -> Iterator[Visitor]:
    """Somebody new; at the end nothing may have gone wrong in their browser."""
    with visit(browser, editor.url) as somebody:
        yield somebody
        assert somebody.complaints == []


@pytest.fixture
def page(visitor: Visitor) -> Page:
    """The editor's start page."""
    return visitor.open()


def pinch(page: Page, middle: tuple[float, float], before: float, after: float) -> None:
    """Two fingers that go from so far from a point to so far from it."""
    x, y = middle
    session: Any = page.context.new_cdp_session(page)
    fingers = [[{"x": x + way * far, "y": y} for way in (-1, 1)] for far in (before, after)]
    events = [("touchStart", fingers[0][:1]), ("touchStart", fingers[0])]
    for type, points in [*events, ("touchMove", fingers[1]), ("touchEnd", [])]:
        session.send("Input.dispatchTouchEvent", {"type": type, "touchPoints": points})
    session.detach()
