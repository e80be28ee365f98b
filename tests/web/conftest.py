"""What the editor's tests share: a service with the demo model, visitors with a browser."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
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
def editor(service: Service) -> Service:
    """The service of a module's tests: the one that all share, with the demo model."""
    return service


@pytest.fixture(scope="module")
def home(editor: Service) -> Path:
    """The home of the module's service."""
    return editor.home


@pytest.fixture(scope="module")
def voiced(tmp_path_factory: pytest.TempPathFactory, models_home: Path) -> Iterator[Service]:
    """A service with the voice, for a module's tests."""
    home = tmp_path_factory.mktemp("home")
    (home / "models").mkdir()
    (home / "models" / "kokoro").symlink_to(models_home / "kokoro")
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
    """Somebody who leaves again. Nothing moves by itself: what is drawn for nobody costs time."""
    options.setdefault("reduced_motion", "reduce")
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


# Goes back to a start page on which nothing was done yet, as a person would who closes all; whether
# that is all of the way back: false where something is left that only a new page is rid of.
CLOSED = """async () => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const open = () => all("dialog[open], [role=dialog], [role=menu], .dock, .timeline, .notice");
  const frame = () => new Promise(requestAnimationFrame);
  const forgotten = () => new Promise((done, fail) => {
    const opening = indexedDB.open("keyval-store");
    opening.onupgradeneeded = () => opening.transaction.abort();
    opening.onerror = () => done();  // there is none
    opening.onsuccess = () => {
      const change = opening.result.transaction("keyval", "readwrite");
      change.objectStore("keyval").clear();
      change.onerror = fail;
      change.oncomplete = () => {
        // At once: what is closed is kept no more.
        all(".tab-close").forEach((button) => button.click());
        opening.result.close();
        done();
      };
    };
  });
  if (all("dialog[open]").length > 0) return false;
  all(".results-kinds button:first-child[aria-pressed=false]").forEach((button) => button.click());
  all(".dock-header button, .notice button").forEach((button) => button.click());
  // An empty graph is no form, and what follows it is a new start page.
  document.querySelector(".tabs > button").click();
  await frame();
  if (open().length > 0 || localStorage.getItem("soundstage.theme")) return false;
  await forgotten();
  await frame();
  sessionStorage.clear();
  const said = document.querySelector(".notices + [role=status]").textContent;
  return said.endsWith(" is closed") && open().length + all(".tab-close, .recent").length === 0 &&
    document.querySelector(".start") !== null;
}"""


@dataclass
class Desk:
    """A page that the tests of a module use one after the other, each from its beginning.

    It costs a second of a core to open one, and nothing to close what was opened on it.
    """

    browser: Browser
    url: str
    visitor: Visitor | None = None
    leave: ExitStack = field(default_factory=ExitStack)

    def page(self) -> Page:
        """The start page as it is for somebody new."""
        if self.visitor is not None:
            (page,) = self.visitor.context.pages
            if self._close_all(page):
                self.visitor.complaints.clear()
                return page
        self.throw_away()
        self.visitor = self.leave.enter_context(visit(self.browser, self.url))
        return self.visitor.open()

    def forgive(self) -> None:
        """What went wrong so far was meant to."""
        if self.visitor is not None:
            self.visitor.complaints.clear()

    def throw_away(self) -> None:
        """The next page is a new one."""
        self.leave.close()
        self.visitor = None

    def _close_all(self, page: Page) -> bool:
        try:
            if page.viewport_size != DESK:
                page.set_viewport_size(DESK)
            page.mouse.move(DESK["width"] - 1, DESK["height"] - 1)
            page.keyboard.press("Escape")
            return page.evaluate(CLOSED)
        except Error:  # it is on its way elsewhere
            return False


@pytest.fixture(scope="module")
def desk(browser: Browser, editor: Service) -> Iterator[Desk]:
    """What the tests of a module share."""
    desk = Desk(browser, editor.url)
    yield desk
    desk.throw_away()


@pytest.fixture
def page(desk: Desk, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The editor's start page, where nothing was done yet; at the end nothing may have gone wrong.

    Whoever needs a browser of their own, or changes what belongs to it, takes ``visitor``.
    """
    failed = request.session.testsfailed
    page = desk.page()
    yield page
    visitor = desk.visitor
    if visitor is None or request.session.testsfailed > failed:
        desk.throw_away()
        return
    complaints = list(visitor.complaints)
    if complaints or len(visitor.context.pages) != 1:
        desk.throw_away()
    assert complaints == []


def pinch(page: Page, middle: tuple[float, float], before: float, after: float) -> None:
    """Two fingers that go from so far from a point to so far from it."""
    x, y = middle
    session: Any = page.context.new_cdp_session(page)
    fingers = [[{"x": x + way * far, "y": y} for way in (-1, 1)] for far in (before, after)]
    events = [("touchStart", fingers[0][:1]), ("touchStart", fingers[0])]
    for type, points in [*events, ("touchMove", fingers[1]), ("touchEnd", [])]:
        session.send("Input.dispatchTouchEvent", {"type": type, "touchPoints": points})
    session.detach()
