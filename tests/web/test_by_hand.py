"""The bundled demo built from nothing and run: with the mouse, then with the keyboard alone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests import bundled
from tests.conftest import Service
from tests.web.conftest import visit

HELLO = bundled.prompt("hello")
WALL: ViewportSize = {"width": 2100, "height": 1250}
SPOTS = {
    "1": (60, 120),
    "2": (420, 120),
    "3": (420, 420),
    "4": (60, 480),
    "5": (800, 120),
    "6": (1160, 120),
    "7": (1160, 420),
    "8": (1520, 120),
    "9": (60, 840),
    "10": (420, 840),
    "11": (800, 840),
}
MADE = {"8": "img", "11": ".sound"}
MOST_TABS = 400


@pytest.fixture(scope="module")
def editor(voiced: Service) -> Service:
    """A service with the voice."""
    return voiced


@pytest.fixture(scope="module")
def kinds(browser: Browser, editor: Service) -> dict[str, Any]:
    """What the service says of the nodes."""
    with visit(browser, editor.url) as somebody:
        return somebody.open().request.get(f"{editor.url}/object_info").json()


def links() -> list[tuple[str, int, str, str]]:
    """From which node and output into which node and input."""
    return [
        (value[0], value[1], id, name)
        for id, node in HELLO.items()
        for name, value in node["inputs"].items()
        if isinstance(value, list)
    ]


def untouched(kind: str | list[Any], options: dict[str, Any] | None = None) -> Any:
    """What a new node has in an input; without a default a choice's first, or an empty text."""
    if options is not None and "default" in options:
        return options["default"]
    return kind[0] if isinstance(kind, list) else ""


def values(kinds: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """Node, input and value wherever it is not what a new node has."""
    found: list[tuple[str, str, Any]] = []
    for id, node in HELLO.items():
        declared = kinds[node["class_type"]]["input"]["required"]
        for name, value in node["inputs"].items():
            if not isinstance(value, list) and value != untouched(*declared[name]):
                found.append((id, name, value))
    return found


def as_bundled(page: Page, editor: Service) -> None:
    """The prompt that ran is the bundled one."""
    jobs = page.request.get(f"{editor.url}/api/jobs?limit=1").json()["jobs"]
    sent = page.request.get(f"{editor.url}/api/jobs/{jobs[0]['id']}").json()["workflow"]["prompt"]
    bare = {id: (node["class_type"], node["inputs"]) for id, node in sent.items()}
    assert bare == {id: (node["class_type"], node["inputs"]) for id, node in HELLO.items()}


def middle(of: Locator) -> tuple[float, float]:
    box = of.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_with_the_mouse(browser: Browser, editor: Service, kinds: dict[str, Any]):
    with visit(browser, editor.url, viewport=WALL) as visitor:
        page = visitor.open()
        page.get_by_role("button", name="Empty graph").click()
        for id, (x, y) in SPOTS.items():
            page.mouse.dblclick(x, y)
            page.keyboard.type(HELLO[id]["class_type"])
            title = kinds[HELLO[id]["class_type"]]["display_name"]
            page.get_by_role("option", name=re.compile(f"^{re.escape(title)}")).first.click()
            expect(page.locator(f'.react-flow__node[data-id="{id}"]')).to_be_visible()
        for source, slot, target, name in links():
            page.mouse.move(*middle(page.locator(f'[data-nodeid="{source}"].source').nth(slot)))
            page.mouse.down()
            end = page.locator(f'[data-nodeid="{target}"][data-handleid="in:{name}"]')
            page.mouse.move(*middle(end), steps=6)
            page.mouse.up()
        expect(page.locator(".react-flow__edge")).to_have_count(len(links()))
        for id, name, value in values(kinds):
            node = page.locator(f'.react-flow__node[data-id="{id}"]')
            choice = node.get_by_role("button", name=re.compile(f"^{name}"))
            if choice.count():
                choice.click()
                page.get_by_role("option", name=str(value), exact=True).click()
            else:
                field = node.get_by_label(name, exact=True)
                field.click()
                page.keyboard.press("Control+a")
                page.keyboard.type(str(value))
        page.get_by_role("button", name="Run", exact=True).click()
        for id, result in MADE.items():
            expect(page.locator(f'.react-flow__node[data-id="{id}"] {result}')).to_be_visible()
        as_bundled(page, editor)
        assert visitor.complaints == []


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until it has the focus."""
    element = wanted.element_handle()
    for _ in range(MOST_TABS):
        if page.evaluate("(one) => one === document.activeElement", element):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} is not reached with the keyboard")


def test_with_the_keyboard_alone(browser: Browser, editor: Service, kinds: dict[str, Any]):
    with visit(browser, editor.url) as visitor:
        page = visitor.open()
        expect(page.get_by_role("heading", name="Make pictures and voices")).to_be_visible()
        page.keyboard.press("Alt+n")
        for id, node in HELLO.items():
            page.keyboard.press("a")
            page.keyboard.type(node["class_type"])
            page.keyboard.press("Enter")
            expect(page.locator(f'.react-flow__node[data-id="{id}"]')).to_have_count(1)
        page.keyboard.press("o")
        outline = page.get_by_role("complementary", name="Outline")
        tab_to(page, outline.get_by_role("button", name="Close"))
        for id in HELLO:
            entry = outline.locator(".outline > li").nth(int(id) - 1)
            tab_to(page, entry.locator("button").first)
            page.keyboard.press("Enter")
            for source, slot, target, name in links():
                if target != id:
                    continue
                row = entry.locator(".inspector-row", has=page.get_by_text(name, exact=True))
                choice = row.locator("select")
                tab_to(page, choice)
                while choice.input_value() != f"{slot}@{source}":
                    page.keyboard.press("ArrowDown")
            for target, name, value in values(kinds):
                if target != id:
                    continue
                chosen = entry.get_by_role("button", name=re.compile(f"^{name}"))
                if chosen.count():
                    tab_to(page, chosen)
                    page.keyboard.press("Enter")
                    page.keyboard.type(str(value))
                    page.keyboard.press("Enter")
                else:
                    tab_to(page, entry.get_by_label(name, exact=True))
                    page.keyboard.press("Control+a")
                    page.keyboard.type(str(value))
        page.keyboard.press("Control+Enter")
        # Nodes out of sight are not on the page: the outline shows the picture, then the voice.
        for id, result in MADE.items():
            tab_to(page, outline.locator(".outline > li").nth(int(id) - 1).locator("button").first)
            page.keyboard.press("Enter")
            expect(page.locator(f'.react-flow__node[data-id="{id}"] {result}')).to_be_visible()
        as_bundled(page, editor)
        assert visitor.complaints == []
