"""What stands on the canvas besides plain nodes, and what nodes can be told."""

from __future__ import annotations

import json
import re
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.web.graphs import Prompt, opened, picture, rest
from tests.web.test_editing import LINKS, UNDO, add, links, nodes, place


def node(page: Page, title: str) -> Locator:
    return nodes(page).filter(has=page.get_by_text(title, exact=True))


def select(page: Page, *titles: str) -> None:
    """With Shift held, one after the other."""
    first, *others = titles
    page.get_by_text(first, exact=True).click()
    for title in others:
        page.get_by_text(title, exact=True).click(modifiers=["Shift"])


def prompt_of(page: Page) -> Prompt:
    """What the page would send: its file in API format."""
    page.get_by_role("button", name="More").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as a prompt (API format)").click()
    return json.loads(download.value.path().read_bytes())


def test_a_muted_node_is_not_sent_and_a_bypassed_one_is_gone_around(page: Page):
    opened(page, picture())
    select(page, "Enlarge")
    page.keyboard.press("Control+b")
    prompt = prompt_of(page)
    assert "7" not in prompt
    assert prompt["8"]["inputs"]["images"] == ["6", 0]
    select(page, "Enlarge")
    page.keyboard.press("Control+m")
    assert "images" not in prompt_of(page)["8"]["inputs"]
    page.keyboard.press(UNDO)
    page.keyboard.press(UNDO)
    assert prompt_of(page) == picture()


def test_a_bend_in_a_link_changes_nothing_of_the_prompt(page: Page):
    opened(page, picture())
    link = page.get_by_role("group", name="Link from Develop to Enlarge")
    link.dispatch_event("dblclick", {"clientX": 700, "clientY": 600})
    expect(page.locator(".reroute")).to_be_visible()
    assert prompt_of(page) == picture()


def test_a_group_takes_its_nodes_along(page: Page):
    opened(page, picture())
    select(page, "Develop", "Enlarge")
    page.keyboard.press("Control+g")
    title = page.get_by_label("Title of the group")
    title.fill("Finish")
    rest(page)
    enlarge = node(page, "Enlarge")
    stood, before, box = place(enlarge), enlarge.bounding_box(), title.bounding_box()
    assert before is not None
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] + 4
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 20, y + 40, steps=4)
    page.mouse.move(x + 30, y + 90, steps=4)
    page.mouse.up()
    expect(enlarge).not_to_have_attribute("style", stood)
    rest(page)
    after = enlarge.bounding_box()
    assert after is not None
    assert after["y"] - before["y"] > 60
    page.keyboard.press(UNDO)
    expect(enlarge).to_have_attribute("style", stood)


def test_a_note_is_kept_in_the_file_and_not_sent(page: Page):
    page.get_by_role("button", name="Empty graph").click()
    add(page, "note")
    page.locator(".note textarea").fill("Look here")
    assert prompt_of(page) == {}


def test_a_collapsed_node_keeps_its_links(page: Page):
    opened(page, picture())
    page.get_by_role("button", name="Collapse or expand Draw").click()
    expect(page.get_by_role("spinbutton", name="steps")).to_be_hidden()
    expect(links(page)).to_have_count(LINKS)
    assert prompt_of(page) == picture()


def test_a_subgraph_is_folded_entered_and_run(page: Page):
    opened(page, picture(seed=77))
    select(page, "Blank picture", "Draw")
    node(page, "Draw").click(button="right", position={"x": 60, "y": 10})
    page.get_by_role("menuitem", name="Convert to a subgraph").click()
    expect(page.get_by_text("Blank picture")).to_be_hidden()
    page.get_by_role("button", name="Run", exact=True).click()
    expect(node(page, "Save the picture").get_by_role("img")).to_be_visible()
    page.get_by_role("button", name="Look inside of Subgraph").click()
    expect(node(page, "Draw")).to_contain_text(re.compile(r"\d m?s"))
    expect(links(page)).to_have_count(5)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.get_by_text("Save the picture")).to_be_visible()


def draw_link(page: Page, start: Locator, end: Locator) -> None:
    """From socket to socket, by hand."""
    start.hover()
    page.mouse.down()
    box = end.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 40, y)
    page.mouse.move(x, y, steps=3)
    page.mouse.up()


def test_a_subgraphs_sockets_are_named_moved_removed_and_made(page: Page):
    opened(page, picture())
    select(page, "Draw")
    page.keyboard.press("Control+Shift+e")
    host = page.locator(".react-flow__node", has=page.get_by_role("button", name="Look inside"))
    before = prompt_of(page)
    page.get_by_role("button", name="Look inside of Subgraph").click()
    inputs = page.locator(".node-end").first
    page.get_by_label("Name of model").fill("What draws")
    page.get_by_role("button", name="Move What draws down").click()
    expect(inputs.get_by_role("textbox").nth(1)).to_have_value("What draws")
    draw_link(
        page,
        inputs.locator(".socket").last,
        node(page, "Draw").locator("[data-handleid='in:steps']"),
    )
    expect(page.get_by_label("Name of steps")).to_be_visible()
    expect(links(page)).to_have_count(6)
    page.get_by_label("Name of positive").focus()
    page.get_by_role("button", name="Remove positive").click()
    expect(links(page)).to_have_count(5)
    page.keyboard.press("Escape")
    expect(host.get_by_text("What draws")).to_be_visible()
    expect(host.get_by_text("positive")).to_be_hidden()
    page.keyboard.press(UNDO)
    expect(host.get_by_text("positive")).to_be_visible()
    assert prompt_of(page) == before


# How many pixels of the sheet are painted.
PAINTED = """(canvas) => canvas.getContext("2d")
  .getImageData(0, 0, canvas.width, canvas.height)
  .data.reduce((count, value, at) => count + (at % 4 === 3 && value > 0 ? 1 : 0), 0)"""


def test_from_far_away_nodes_are_painted_and_still_taken_by_the_hand(page: Page):
    opened(page, picture())
    enlarge = page.get_by_label("Enlarge", exact=True)
    page.mouse.move(720, 800)
    for _ in range(12):
        page.mouse.wheel(0, 60)
    sheet = page.locator(".painted-sheet")
    expect(sheet).to_be_visible()
    expect(page.get_by_role("spinbutton", name="steps")).to_be_hidden()
    rest(page)
    page.wait_for_function(f"(sheet) => ({PAINTED})(sheet) > 5000", arg=sheet.element_handle())
    expect(links(page)).to_have_count(0)
    expect(enlarge).to_be_visible()  # the sheet rests
    before = enlarge.bounding_box()
    assert before is not None
    x, y = before["x"] + before["width"] / 2, before["y"] + before["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 60, steps=4)
    page.mouse.up()
    moved = "([one, y]) => one.getBoundingClientRect().y - y > 40"
    page.wait_for_function(moved, arg=[enlarge.element_handle(), before["y"]])
    page.keyboard.press("Delete")
    expect(enlarge).to_be_hidden()
    page.keyboard.press(UNDO)
    page.keyboard.press(UNDO)
    page.keyboard.press(".")
    expect(page.get_by_role("spinbutton", name="steps")).to_be_visible()
    expect(links(page)).to_have_count(10)
    assert prompt_of(page) == picture()


def test_many_nodes_are_painted_while_they_move(page: Page):
    places = [(column * 300, row * 220) for column in range(6) for row in range(5)]
    some = [
        {"id": id, "type": "EmptyLatentImage", "pos": place, "widgets_values": [64, 64, 1]}
        for id, place in enumerate(places, 1)
    ]
    opened(page, {"nodes": some, "links": [], "version": 0.4})
    width = page.get_by_role("spinbutton", name="width").first
    sheet = page.locator(".painted-sheet")
    expect(width).to_be_visible()
    expect(sheet).to_be_hidden()
    before = nodes(page).first.bounding_box()
    page.mouse.move(30, 450)
    page.mouse.down()
    page.mouse.move(80, 430)
    page.mouse.move(100, 420)
    expect(sheet).to_be_visible()
    expect(width).to_be_hidden()
    assert sheet.evaluate(PAINTED) > 100_000
    page.mouse.up()
    expect(sheet).to_be_hidden()
    expect(width).to_be_visible()
    after = nodes(page).first.bounding_box()
    assert before is not None
    assert after is not None
    assert (after["x"], after["y"]) != (before["x"], before["y"])
    width.focus()
    zoom = page.locator(".view-zoom")
    percent = zoom.inner_text()
    page.mouse.wheel(0, 60)
    expect(zoom).not_to_have_text(percent)
    expect(sheet).to_be_hidden()
    expect(width).to_be_focused()


def test_a_menu_is_walked_with_the_keyboard(page: Page):
    opened(page, picture())
    node(page, "Enlarge").click(button="right", position={"x": 60, "y": 10})
    expect(page.get_by_role("menuitem", name="Copy")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Enlarge", exact=True)).to_have_count(2)


def test_a_picture_is_uploaded_and_shown(page: Page, tmp_path: Path):
    file = tmp_path / "red <b>.png"
    Image.new("RGB", (32, 32), "red").save(file)
    page.get_by_role("button", name="Empty graph").click()
    add(page, "LoadImage")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload a picture").click()
    chooser.value.set_files(file)
    # Before it there may be another file of the input folder.
    loaded = nodes(page).get_by_role("img", name="red <b>.png")
    expect(loaded).to_be_visible()
    assert loaded.evaluate("async (image) => (await image.decode(), image.naturalWidth)") == 32


def test_nodes_are_put_in_order(page: Page):
    opened(page, picture())
    page.keyboard.press("Control+a")
    page.keyboard.press("Alt+2")
    rows = """() => new Set([...document.querySelectorAll(".react-flow__node")]
      .map((node) => Math.round(node.getBoundingClientRect().y))).size"""
    page.wait_for_function(f"() => ({rows})() === 1")
    page.keyboard.press("Alt+l")
    page.wait_for_function(f"() => ({rows})() > 3")
