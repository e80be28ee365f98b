"""The editor for everyone: axe finds nothing in any view; large type, few colours, touch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests import bundled
from tests.conftest import CHECKOUT, Service
from tests.web.conftest import visit
from tests.web.graphs import drop, opened, picture, rest

AXE = CHECKOUT / "web" / "node_modules" / "axe-core" / "axe.min.js"
TWICE: ViewportSize = {"width": 720, "height": 450}

# Done when no transition runs; what runs without an end, such as the sign of work, or begins again
# with each step of a job, is no reason to wait. (The page's policy lets `wait_for_function` look
# once, and no second time.)
STILL = """async () => {
  const ends = ({ playState, effect }) =>
    playState === "running" && Number.isFinite(effect?.getComputedTiming().endTime) &&
    !effect.target?.closest(".node-progress, .queue-progress");
  while (document.getAnimations().some(ends)) await new Promise(requestAnimationFrame);
}"""


def violations(page: Page) -> list[tuple[str, Any]]:
    """What axe finds, and where, once nothing moves or comes any more."""
    page.evaluate(STILL)
    rest(page)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        (one["id"], [(node["target"], node["failureSummary"][:200]) for node in one["nodes"][:3]])
        for one in found["violations"]
    ]


def start(page: Page) -> Iterator[str]:
    """The start page: everything, and nothing."""
    expect(page.locator(".card").first).to_be_visible()
    yield "start"
    page.get_by_role("searchbox", name="Filter the workflows").fill("no such thing")
    expect(page.get_by_text("No workflow is like that.")).to_be_visible()
    yield "start, nothing found"
    page.get_by_role("searchbox", name="Filter the workflows").fill("")


def graph(page: Page) -> Iterator[str]:
    """A graph that has run, with groups, a note and subgraphs; what is shown above it."""
    opened(page, bundled.document("recipe"), "graph")
    page.get_by_role("button", name="Run", exact=True).click()
    drawn = page.locator(".react-flow__node").get_by_role("img", name="recipe")
    expect(drawn.first).to_be_visible()
    yield "graph"
    page.get_by_role("button", name="More").click()
    yield "menu"
    page.keyboard.press("Escape")
    page.get_by_text("Picture model", exact=True).click(button="right")
    yield "context menu"
    page.keyboard.press("Escape")
    page.locator(".canvas").focus()
    page.keyboard.press("a")
    yield "palette"
    page.keyboard.type("no such node")
    yield "palette, nothing found"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="ckpt_name").click()
    yield "choice"
    page.keyboard.type("no such model")
    yield "choice, nothing found"
    page.keyboard.press("Escape")
    drawn.first.click()
    yield "one picture"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Look inside of Draw it").first.click()
    yield "subgraph"
    page.get_by_label("Where you are").get_by_role("button").first.click()


def panels(page: Page) -> Iterator[str]:
    """Whatever the buttons at the top open."""
    buttons = page.get_by_role("banner").locator("button[aria-pressed='false']")
    names = [one.get_attribute("title") or "" for one in buttons.all()]
    assert len(names) >= 6
    for name in names:
        page.get_by_role("banner").get_by_title(name, exact=True).click()
        yield name
        if page.locator("dialog[open]").count():
            page.keyboard.press("Escape")
        elif name == "Show as a form":
            page.get_by_role("button", name="Edit this form").click()
            yield "form, being edited"
            page.get_by_role("button", name="Show as a graph").click()
        else:
            page.get_by_role("banner").get_by_title(name, exact=True).click()


def trouble(page: Page) -> Iterator[str]:
    """A graph that cannot run, and a file that cannot be read."""
    page.get_by_role("button", name="Start page").click()
    broken = picture()
    del broken["6"]["inputs"]["vae"]
    broken["50"] = {"class_type": "Nobody", "inputs": {"a": ["4", 0]}}
    opened(page, broken, "broken")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".notice-error").first).to_be_visible()
    drop(page, "broken.json", b'{"nodes": [', "application/json")
    yield "trouble"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_view(browser: Browser, editor: Service, scheme: str):
    if not AXE.is_file():
        pytest.skip("axe-core is not installed; make web")
    with visit(browser, editor.url, color_scheme=scheme, reduced_motion="reduce") as visitor:
        page = visitor.open()
        found: dict[str, Any] = {}
        for part in (start, graph, panels, trouble):
            for view in part(page):
                if wrong := violations(page):
                    found[view] = wrong
        assert found == {}


def test_twice_as_large_nothing_is_cut_off(browser: Browser, editor: Service):
    with visit(browser, editor.url, viewport=TWICE, device_scale_factor=2) as visitor:
        page = visitor.open()
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        for view in start(page):
            assert page.evaluate(wide) == 0, view
        opened(page, picture())
        for view in panels(page):
            assert page.evaluate(wide) == 0, view
        expect(page.get_by_role("button", name="Run", exact=True)).to_be_in_viewport(ratio=1)
        expect(page.get_by_role("button", name="Show as a form")).to_be_in_viewport(ratio=1)


def test_who_wants_stillness_gets_it(browser: Browser, editor: Service):
    with visit(browser, editor.url, reduced_motion="reduce") as visitor:
        page = visitor.open()
        opened(page, picture())
        moving = page.evaluate(
            """() => [...document.querySelectorAll("*")].filter((one) => {
              const { transitionDuration, animationDuration } = getComputedStyle(one);
              return [transitionDuration, animationDuration].join().match(/[1-9]/);
            }).length"""
        )
        assert moving == 0


def test_without_colours_the_chosen_and_the_pressed_are_told_apart(
    browser: Browser, editor: Service
):
    with visit(browser, editor.url, forced_colors="active") as visitor:
        page = visitor.open()
        chosen = page.get_by_role("button", name="All", exact=True)
        other = page.get_by_role("button", name="Voices", exact=True)
        ground = "(one) => getComputedStyle(one).backgroundColor"
        assert chosen.evaluate(ground) != other.evaluate(ground)
        opened(page, picture())
        page.get_by_role("button", name="Outline").click()
        pressed = page.get_by_role("button", name="Outline")
        assert pressed.evaluate(ground) != page.get_by_role("button", name="Problems").evaluate(
            ground
        )
        assert visitor.complaints == []


def test_a_long_touch_opens_the_menu(browser: Browser, editor: Service):
    with visit(browser, editor.url, has_touch=True) as visitor:
        page = visitor.open()
        opened(page, picture())
        title = page.get_by_text("Enlarge", exact=True)
        box = title.bounding_box()
        assert box is not None
        touch: Any = page.context.new_cdp_session(page)
        point = {"x": box["x"] + 10, "y": box["y"] + 5}
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
        expect(page.get_by_role("menu", name="What to do with it")).to_be_visible()
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        expect(page.get_by_role("menuitem", name="Duplicate")).to_be_visible()
