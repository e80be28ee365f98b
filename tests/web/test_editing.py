"""Editing graphs, with the pointer and with the keyboard alone."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Locator, Page, expect

from tests.web.conftest import Desk, Visitor
from tests.web.graphs import drop, kept, opened, picture, rest

NODES, LINKS = 8, 10  # of the bundled picture
UNDO = "Control+z"
REDO = "Control+Shift+z"


def nodes(page: Page) -> Locator:
    return page.locator(".react-flow__node")


def links(page: Page) -> Locator:
    return page.locator(".react-flow__edge")


def add(page: Page, query: str) -> None:
    """A node by its name, with the keyboard."""
    page.keyboard.press("a")
    page.get_by_role("combobox", name="Search nodes").fill(query)
    page.keyboard.press("Enter")


def socket(page: Page, title: str, key: str) -> Locator:
    one = page.locator(".react-flow__node", has=page.get_by_text(title, exact=True))
    return one.locator(f'.react-flow__handle[data-handleid="{key}"]')


def place(one: Locator) -> re.Pattern[str]:
    """The style of a node that stands where this one stands."""
    found = re.search(r"translate\([^)]*\)", one.get_attribute("style") or "")
    assert found is not None
    return re.compile(re.escape(found[0]))


def drag(page: Page, source: Locator, x: float, y: float) -> None:
    """From the middle of a socket to a point."""
    box = source.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(x + 30, y + 10, steps=4)
    page.mouse.move(x, y, steps=4)
    page.mouse.up()


def to_socket(page: Page, source: Locator, target: Locator) -> None:
    box = target.bounding_box()
    assert box is not None
    drag(page, source, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def test_a_link_dropped_into_the_void_offers_nodes_that_fit(page: Page):
    page.get_by_role("button", name="Empty graph").click()
    add(page, "ksampler")
    expect(nodes(page)).to_have_count(1)
    drag(page, socket(page, "KSampler", "in:model"), 200, 300)
    found = page.get_by_role("listbox", name="Search nodes")
    expect(found.get_by_role("option", name="Load Checkpoint")).to_be_visible()
    expect(found.get_by_role("option", name="Save Image")).to_be_hidden()
    page.get_by_role("combobox", name="Search nodes").fill("checkpoint")
    page.keyboard.press("Enter")
    expect(nodes(page)).to_have_count(2)
    expect(links(page)).to_have_count(1)


def test_a_link_that_does_not_fit_is_refused_with_the_reason(page: Page):
    opened(page, picture())
    expect(links(page)).to_have_count(LINKS)
    to_socket(page, socket(page, "Demo model", "out:0"), socket(page, "Draw", "in:positive"))
    expect(page.get_by_text("MODEL does not fit: it takes CONDITIONING").first).to_be_visible()
    expect(links(page)).to_have_count(LINKS)


def test_a_circle_is_refused(page: Page):
    opened(page, picture())
    to_socket(page, socket(page, "Enlarge", "out:0"), socket(page, "Enlarge", "in:image"))
    expect(page.get_by_text("A node cannot be linked to itself").first).to_be_visible()


def test_everything_is_undone_and_done_again(page: Page):
    opened(page, picture())
    add(page, "invert image")
    expect(nodes(page)).to_have_count(NODES + 1)
    page.locator(".canvas").focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    expect(nodes(page)).to_have_count(0)
    page.keyboard.press(UNDO)
    expect(nodes(page)).to_have_count(NODES + 1)
    page.keyboard.press(UNDO)
    expect(nodes(page)).to_have_count(NODES)
    page.keyboard.press(REDO)
    page.keyboard.press(REDO)
    expect(nodes(page)).to_have_count(0)


def test_nodes_are_copied_as_text_into_another_tab(visitor: Visitor):
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visitor.open()
    opened(page, picture())
    expect(nodes(page)).to_have_count(NODES)
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+c")
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert len(copied["nodes"]) == NODES
    page.get_by_role("button", name="New workflow").click()
    expect(nodes(page)).to_have_count(0)
    page.keyboard.press("Control+v")
    expect(nodes(page)).to_have_count(NODES)


def test_a_node_moved_by_mouse_stays_there_after_a_reload(page: Page):
    opened(page, picture())
    title = page.get_by_text("Enlarge", exact=True)
    before = title.bounding_box()
    assert before is not None
    page.mouse.move(before["x"] + 5, before["y"] + 5)
    page.mouse.down()
    page.mouse.move(before["x"] + 60, before["y"] + 160, steps=5)
    held = nodes(page).filter(has=title).and_(page.locator(".dragging"))
    expect(held).to_have_count(1)
    page.mouse.up()
    expect(held).to_have_count(0)
    moved = place(nodes(page).filter(has=title))
    x, y = re.findall(r"-?\d+", moved.pattern)
    kept(page, f'"x":{x},"y":{y}')
    page.reload()
    expect(title).to_be_visible()
    expect(nodes(page).filter(has=title)).to_have_attribute("style", moved)


def test_each_move_is_undone_by_itself(page: Page):
    opened(page, picture())
    title = page.get_by_text("Enlarge", exact=True)
    enlarge = nodes(page).filter(has=title)
    places: list[re.Pattern[str]] = []
    for _ in range(2):
        places.append(place(enlarge))
        box = title.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 5, box["y"] + 5)
        page.mouse.down()
        page.mouse.move(box["x"] + 25, box["y"] + 60, steps=4)
        page.mouse.move(box["x"] + 25, box["y"] + 85, steps=4)
        page.mouse.up()
        expect(enlarge).not_to_have_attribute("style", places[-1])
        rest(page)
    assert len({*places, place(enlarge)}) == 3
    for before in reversed(places):
        page.keyboard.press(UNDO)
        expect(enlarge).to_have_attribute("style", before)


def test_ten_megabytes_of_text_in_a_widget_do_no_harm(page: Page):
    expect(page.get_by_role("heading", name="Make pictures and voices")).to_be_visible()
    prompt = picture()
    prompt["2"]["inputs"]["text"] = "apple"
    page.evaluate(
        """(text) => {
          const transfer = new DataTransfer();
          const long = text.replace('"apple"', '"' + "apple ".repeat(1_700_000) + '"');
          transfer.items.add(new File([long], "long.json", { type: "application/json" }));
          const init = { bubbles: true, cancelable: true, dataTransfer: transfer };
          document.querySelector(".page").dispatchEvent(new DragEvent("drop", init));
        }""",
        json.dumps(prompt),
    )
    expect(page.get_by_text("10,200,000 characters")).to_be_visible()
    add(page, "invert image")
    expect(nodes(page)).to_have_count(9)


def test_a_graph_is_built_linked_and_run_with_the_keyboard_alone(page: Page):
    expect(page.get_by_role("heading", name="Make pictures and voices")).to_be_visible()
    page.keyboard.press("Alt+n")
    add(page, "EmptyImage")
    add(page, "PreviewImage")
    page.keyboard.press("o")
    outline = page.get_by_role("complementary", name="Outline")
    preview = outline.get_by_role("button", name=re.compile("^Preview Image"))
    preview.focus()
    page.keyboard.press("Enter")
    source = outline.get_by_label("images")
    source.focus()
    page.keyboard.press("ArrowDown")
    expect(links(page)).to_have_count(1)
    page.keyboard.press("Control+Enter")
    shown = nodes(page).filter(has_text="Preview Image").get_by_role("img")
    expect(shown).to_be_visible()


def test_a_number_is_dragged_typed_and_stepped(page: Page):
    opened(page, picture())
    steps = page.get_by_role("spinbutton", name="steps")
    box = steps.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 45, box["y"] + 5, steps=5)
    page.mouse.up()
    expect(steps).to_have_value("14")
    steps.focus()
    page.keyboard.press("ArrowUp")
    expect(steps).to_have_value("15")
    steps.fill("9000000")
    page.keyboard.press("Enter")
    expect(steps).to_have_value("10000")


def test_unknown_nodes_are_shown_kept_and_named(page: Page, desk: Desk):
    evil = '<img src=x onerror="document.title=1">'
    prompt = picture() | {
        "50": {"class_type": evil, "inputs": {"a": ["4", 0]}, "_meta": {"title": evil}}
    }
    opened(page, prompt)
    strange = nodes(page).filter(has_text=evil)
    expect(strange).to_contain_text("The service does not know this type of node")
    page.get_by_role("button", name="Problems").click()
    expect(page.get_by_role("complementary", name="Problems")).to_contain_text(
        "no node of the type"
    )
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".notice-error")).to_contain_text("1 node has a problem")
    assert "Soundstage" in page.title()
    desk.forgive()  # the console tells of the 400


def test_a_corrupt_file_is_refused_in_words(page: Page):
    expect(page.get_by_role("heading", name="Make pictures and voices")).to_be_visible()
    drop(page, "broken.png", b"\x89PNG\r\n\x1a\n" + bytes(40), "image/png")
    expect(page.locator(".notice-error")).to_contain_text("broken.png carries no graph")
    drop(page, "broken.json", b'{"nodes": [', "application/json")
    expect(page.locator(".notice-error").last).to_contain_text("broken.json holds no workflow")
