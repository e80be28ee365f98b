"""New workflows, and where new nodes go."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations

import pytest
from playwright.sync_api import FloatRect, Locator, Page, ViewportSize, expect

from tests.conftest import Service, start_service
from tests.web.conftest import Visitor
from tests.web.graphs import drop, opened, picture, rest
from tests.web.test_editing import add, nodes, socket

NEAR = 12.0  # pixels: what a grid of 10 and a scale of 1 make of a point


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with the built-in nodes alone, which are what a search shall find."""
    started = start_service(tmp_path_factory.mktemp("home"))
    yield started
    started.stop()


def box(one: Locator) -> FloatRect:
    found = one.bounding_box()
    assert found is not None
    return found


def viewport(page: Page) -> str | None:
    return page.locator(".react-flow__viewport").get_attribute("style")


def overlap(one: FloatRect, other: FloatRect) -> bool:
    return (
        one["x"] < other["x"] + other["width"]
        and other["x"] < one["x"] + one["width"]
        and one["y"] < other["y"] + other["height"]
        and other["y"] < one["y"] + one["height"]
    )


def stacked(page: Page) -> list[tuple[int, int]]:
    """Which nodes cover each other."""
    rest(page)
    boxes = [box(one) for one in nodes(page).all()]
    return [(a, b) for a, b in combinations(range(len(boxes)), 2) if overlap(boxes[a], boxes[b])]


def empty(page: Page) -> None:
    page.get_by_role("button", name="Empty graph").click()
    expect(page.locator(".react-flow__pane")).to_be_visible()
    rest(page)


@pytest.mark.parametrize("point", [(250, 250), (900, 600)])
def test_the_first_node_lands_where_one_double_clicked(page: Page, point: tuple[int, int]):
    empty(page)
    page.mouse.dblclick(*point)
    page.get_by_role("combobox", name="Search nodes").fill("ksampler")
    page.keyboard.press("Enter")
    expect(nodes(page)).to_have_count(1)
    rest(page)
    first = box(nodes(page))
    assert abs(first["x"] - point[0]) < NEAR
    assert abs(first["y"] - point[1]) < NEAR
    page.get_by_role("button", name="Undo").click()
    expect(nodes(page)).to_have_count(0)
    page.get_by_role("button", name="Redo").click()
    expect(nodes(page)).to_have_count(1)
    rest(page)
    assert box(nodes(page)) == first


def test_nodes_that_are_added_by_keys_do_not_cover_each_other(page: Page):
    empty(page)
    names = ["ksampler", "load image", "save image", "empty latent image", "vae decode", "note"]
    for name in names:
        add(page, name)
    # Without a selection they go beside each other too, and what is new is in view.
    for _ in range(3):
        page.keyboard.press("Escape")
        add(page, "ksampler")
    rest(page)
    new = box(page.locator(".react-flow__node.selected"))
    pane = box(page.locator(".react-flow__pane"))
    assert pane["x"] <= new["x"]
    assert new["x"] + new["width"] <= pane["x"] + pane["width"]
    assert pane["y"] <= new["y"]
    assert new["y"] + new["height"] <= pane["y"] + pane["height"]
    page.keyboard.press("Escape")
    page.keyboard.press(".")
    expect(nodes(page)).to_have_count(len(names) + 3)
    assert stacked(page) == []


def test_what_is_pasted_comes_to_the_pointer_and_covers_nothing(visitor: Visitor):
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visitor.open()
    empty(page)
    page.mouse.dblclick(200, 200)
    page.get_by_role("combobox", name="Search nodes").fill("save image")
    page.keyboard.press("Enter")
    expect(nodes(page)).to_have_count(1)
    page.keyboard.press("Control+c")
    page.mouse.move(760, 420)
    page.keyboard.press("Control+v")
    expect(nodes(page)).to_have_count(2)
    rest(page)
    copy = box(nodes(page).last)
    assert abs(copy["x"] - 760) < NEAR
    assert abs(copy["y"] - 420) < NEAR
    page.keyboard.press("Control+v")
    page.keyboard.press("Control+v")
    expect(nodes(page)).to_have_count(4)
    assert stacked(page) == []


def test_a_link_that_is_drawn_across_the_map_does_not_move_the_view(page: Page):
    opened(page, picture())
    plan = box(page.get_by_role("img", name="Map of the graph"))
    start = box(socket(page, "Demo model", "out:0"))
    before = viewport(page)
    x, y = plan["x"] + plan["width"] / 2, plan["y"] + plan["height"] / 2
    page.mouse.move(start["x"] + 5, start["y"] + 5)
    page.mouse.down()
    page.mouse.move(x - 20, y - 20, steps=6)
    page.mouse.move(x + 20, y + 20, steps=6)
    page.mouse.move(x - 200, y - 260, steps=6)
    assert viewport(page) == before
    page.mouse.up()
    page.keyboard.press("Escape")
    assert viewport(page) == before
    # A move that begins on it is its own, and goes on beyond its edge.
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y + 20, steps=4)
    page.mouse.up()
    assert viewport(page) != before


def test_a_new_workflow_is_a_graph_even_where_forms_are_looked_at(page: Page):
    opened(page, picture())
    page.get_by_role("button", name="Show as a form").click()
    expect(page.get_by_role("region", name="What to make")).to_be_visible()
    page.get_by_role("button", name="New workflow").click()
    expect(page.locator(".react-flow__pane")).to_be_visible()
    expect(page.get_by_text("This workflow asks for nothing")).to_be_hidden()
    add(page, "ksampler")
    expect(nodes(page)).to_have_count(1)
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    expect(nodes(page)).to_have_count(0)
    # Nor does one become a form that is empty when it is come back to.
    page.get_by_role("button", name="graph", exact=True).click()
    page.get_by_role("button", name="Show as a form").click()
    page.get_by_role("button", name="Untitled", exact=True).click()
    expect(page.locator(".react-flow__pane")).to_be_visible()
    page.keyboard.press("o")
    expect(page.get_by_text("This graph is empty. Press A to add a node.")).to_be_visible()
    page.reload()
    expect(page.locator(".react-flow__pane")).to_be_visible()


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("empty latent image", "Empty Latent Image"),
        ("EmptyLatentImage", "Empty Latent Image"),
        ("save", "Save Image"),
        ("ksmapler", "KSampler"),
        ("laod image", "Load Image"),
    ],
)
def test_the_search_has_first_what_was_meant(page: Page, typed: str, first: str):
    empty(page)
    page.keyboard.press("a")
    page.get_by_role("combobox", name="Search nodes").fill(typed)
    options = page.get_by_role("listbox", name="Search nodes").get_by_role("option")
    expect(options.first.locator(".palette-title")).to_have_text(first)


def test_the_active_tab_and_the_button_for_a_new_one_stay_in_sight(visitor: Visitor):
    page = visitor.open()
    opened(page, picture(), "begin")
    for number in range(12):
        drop(page, f"graph {number}.json", json.dumps(picture()).encode(), "application/json")
        expect(page.get_by_role("button", name=f"graph {number}", exact=True)).to_be_visible()
    tabs = page.get_by_role("navigation", name="Open workflows")
    new = tabs.get_by_role("button", name="New workflow")
    sizes: list[ViewportSize] = [
        {"width": 1440, "height": 900},
        {"width": 900, "height": 700},
        {"width": 390, "height": 844},
    ]
    for size in sizes:
        page.set_viewport_size(size)
        for name in ("graph 11", "begin", "graph 6"):
            tabs.get_by_role("button", name=name, exact=True).dispatch_event("click")
            active = tabs.locator(".tab-active")
            expect(active.get_by_role("button", name=name, exact=True)).to_have_attribute(
                "aria-current", "page"
            )
            expect(active).to_be_in_viewport(ratio=0.95)
            expect(new).to_be_in_viewport(ratio=0.95)
    new.click()
    expect(tabs.locator(".tab-active")).to_be_in_viewport(ratio=0.95)
    expect(tabs.locator(".tab-active")).to_have_text(re.compile("Untitled"))
