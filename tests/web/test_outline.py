"""The outline by keys alone; groups and nodes as they look in the dark."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from tests.conftest import Service
from tests.web.conftest import visit
from tests.web.graphs import opened, picture
from tests.web.test_access import violations

LIGHTNESS = """(one) => {
  const canvas = new OffscreenCanvas(1, 1);
  const brush = canvas.getContext("2d");
  brush.fillStyle = getComputedStyle(one).backgroundColor;
  brush.fillRect(0, 0, 1, 1);
  const [red, green, blue] = brush.getImageData(0, 0, 1, 1).data;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}"""
GROUPED: dict[str, Any] = {
    "version": 0.4,
    "nodes": [
        {
            "id": 1,
            "type": "EmptyLatentImage",
            "pos": [60, 80],
            "size": [280, 120],
            "outputs": [{"name": "LATENT", "type": "LATENT", "links": []}],
            "widgets_values": [128, 128, 1],
        }
    ],
    "links": [],
    "groups": [{"title": "Size", "bounding": [0, 0, 420, 320]}],
}


def outline(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Outline")


def test_o_goes_into_the_outline_and_escape_gives_the_focus_back(page: Page):
    opened(page, picture())
    header = page.locator(".react-flow__node", has_text="Develop").locator("header")
    header.click()
    page.keyboard.press("o")
    search = outline(page).get_by_role("searchbox", name="Search the nodes of this graph")
    expect(search).to_be_focused()
    assert violations(page) == []
    page.keyboard.type("enl")
    expect(outline(page).get_by_role("listitem")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator(".react-flow__node.selected")).to_contain_text("Enlarge")
    search.fill("nothing like that")
    expect(outline(page)).to_contain_text('No node of this graph is called "nothing like that".')
    page.keyboard.press("Escape")
    expect(search).to_have_value("")
    page.keyboard.press("ArrowDown")
    expect(outline(page).locator(".outline-node").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(outline(page)).to_be_visible()
    assert outline(page).evaluate("(one) => !one.contains(document.activeElement)")
    page.keyboard.press("o")
    expect(outline(page)).to_be_hidden()


def test_a_panel_that_a_key_opens_has_the_focus(page: Page):
    opened(page, picture())
    for key, name in (("p", "Problems"), ("q", "Queue"), ("v", "Versions")):
        page.keyboard.press(key)
        panel = page.get_by_role("complementary", name=name)
        expect(panel).to_be_focused()
        page.keyboard.press("Escape")
        expect(panel).not_to_be_focused()
    page.get_by_role("button", name="Outline").click()
    expect(outline(page)).to_be_visible()
    expect(page.get_by_role("button", name="Outline")).to_be_focused()


def test_a_group_has_one_border_and_nothing_glares_in_the_dark(browser: Browser, editor: Service):
    with visit(browser, editor.url, color_scheme="dark") as visitor:
        page = visitor.open()
        opened(page, GROUPED)
        group = page.locator(".group")
        frame = page.locator(".react-flow__node", has=group)
        expect(frame).to_have_css("border-style", "none")
        expect(frame).to_have_css("background-color", "rgba(0, 0, 0, 0)")
        assert frame.bounding_box() == group.bounding_box()
        line = str(group.evaluate("(one) => getComputedStyle(one).borderTopColor"))
        alpha = re.search(r"/ ([\d.]+)\)$", line)
        assert alpha is not None, line
        assert float(alpha[1]) <= 0.3
        box = page.locator(".node")
        ground, node = (
            one.evaluate(LIGHTNESS) for one in (page.locator(".canvas").first, box.first)
        )
        field = box.locator(".field").first.evaluate(LIGHTNESS)
        assert ground < node < field, "fields are no holes, nodes stand out"
        expect(page.get_by_role("textbox", name="Title of the group")).to_have_value("Size")
        assert violations(page) == []
