"""A graph as a plain form, on a phone too, and for others by a link."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests import bundled
from tests.browser import own_address
from tests.conftest import Service, start_service
from tests.web.conftest import Visitor, visit
from tests.web.graphs import kept, opened, picture
from tests.web.test_access import violations

PHONE: ViewportSize = {"width": 390, "height": 780}
EVIL = '<img src=x onerror="document.title=1">'


def part(page: Page, name: str) -> Locator:
    """What a form asks for under a name."""
    return page.get_by_role("group", name=name, exact=True)


def run(page: Page) -> None:
    page.get_by_role("button", name="Run", exact=True).click()


def result(page: Page) -> Locator:
    return page.get_by_role("figure", name="Save the picture").get_by_role("img")


def too_wide(page: Page) -> int:
    """By how many pixels the page can be scrolled sideways."""
    element = "document.documentElement"
    return page.evaluate(f"{element}.scrollWidth - {element}.clientWidth")


def saved(page: Page, document: Any, name: str) -> None:
    """Open a document and save it."""
    opened(page, document, name)
    page.keyboard.press("Control+s")
    expect(page.get_by_text(f"{name} is saved").first).to_be_visible()


def test_a_phone_shows_a_form_and_runs_it(browser: Browser, editor: Service):
    with visit(browser, editor.url, viewport=PHONE, has_touch=True, is_mobile=True) as visitor:
        page = visitor.open()
        opened(page, picture())
        part(page, "What to draw").get_by_label("text").fill("yellow star")
        button = page.get_by_role("button", name="Run", exact=True)
        place = button.bounding_box()
        assert place is not None
        assert place["height"] >= 44
        assert place["y"] > PHONE["height"] * 0.8
        button.tap()
        expect(result(page)).to_be_in_viewport()
        expect(page.get_by_role("link", name=re.compile("^Save hello.*png$"))).to_be_visible()
        assert too_wide(page) == 0
        assert violations(page) == []
        page.get_by_role("button", name="Edit this form").tap()
        assert too_wide(page) == 0
        assert violations(page) == []
        assert visitor.complaints == []


def test_a_form_and_its_graph_are_one(page: Page):
    opened(page, picture())
    page.get_by_role("button", name="Show as a form").click()
    part(page, "What to draw").get_by_label("text").fill("green leaf")
    page.get_by_text("Settings", exact=True).click()
    page.get_by_role("spinbutton", name="steps").fill("3")
    page.get_by_role("button", name="Show as a graph").click()
    expect(page.get_by_role("spinbutton", name="steps")).to_have_value("3")
    expect(page.locator("textarea").filter(has_text="green leaf")).to_be_visible()


def test_a_form_asks_for_what_its_author_chose(page: Page):
    opened(page, picture())
    page.get_by_role("button", name="Show as a form").click()
    page.get_by_role("button", name="Edit this form").click()
    editor = page.get_by_role("region", name="Edit this form")
    editor.get_by_label("Title").fill("Fruit machine")
    editor.get_by_label("What it does, in a sentence").fill("Draws fruit.")
    editor.get_by_label("Name of What to draw, text").fill("Which fruit")
    editor.get_by_label("Position of What to leave out, text").select_option("Not shown")
    editor.get_by_label("Position of Draw, steps").select_option("Asked for")
    editor.get_by_role("button", name="Draw, steps further up").click()
    editor.get_by_role("button", name="Done").click()
    asks = page.get_by_role("region", name="What to make")
    expect(page.get_by_role("heading", name="Fruit machine")).to_be_visible()
    expect(page.get_by_text("Draws fruit.")).to_be_visible()
    expect(asks.locator("> fieldset > legend")).to_have_text(["Which fruit", "Draw"])
    first = part(page, "Draw").get_by_role("spinbutton").first
    expect(first).to_have_accessible_name("steps")
    page.keyboard.press("Control+z")
    expect(first).to_have_accessible_name("seed")


def test_a_link_opens_the_form_for_others_and_after_a_reload(
    browser: Browser, editor: Service, visitor: Visitor
):
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visitor.open()
    opened(page, picture(), "mine & yours")
    page.get_by_role("button", name="Show as a form").click()
    page.get_by_role("button", name="Edit this form").click()
    page.get_by_label("Name of What to draw, text").fill("Say it")
    page.get_by_role("button", name="Copy a link to this form").click()
    expect(page.get_by_text("The link is copied").first).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.url
    with visit(browser, link) as other:
        theirs = other.open()
        expect(part(theirs, "Say it")).to_be_visible()
        part(theirs, "Say it").get_by_label("text").fill("blue fish")
        kept(theirs, "blue fish")
        theirs.reload()
        expect(part(theirs, "Say it").get_by_label("text")).to_have_value("blue fish")
        expect(theirs).to_have_url(link)
        assert not [told for told in other.complaints if not told.startswith("asked for")]


def test_a_link_to_what_is_gone_says_so(visitor: Visitor):
    page = visitor.open(f"#saved={quote(EVIL)}&as=form")
    expect(page.locator(".notice-error")).to_contain_text(
        f"no workflow called {EVIL} here any more"
    )
    expect(page.get_by_role("heading", name="Make pictures and voices")).to_be_visible()
    assert page.title() == "Soundstage"
    visitor.complaints.clear()  # the console tells of the 404


def test_words_of_others_are_never_markup(page: Page):
    document = bundled.document("picture")
    about = document["extra"]["soundstage"]
    about |= {"title": EVIL, "words": EVIL, "needs": [EVIL]}
    about["form"]["first"][0]["name"] = EVIL
    document["nodes"][0]["title"] = EVIL
    opened(page, document)
    page.get_by_role("button", name="Show as a form").click()
    expect(page.get_by_role("heading", name=EVIL)).to_be_visible()
    expect(part(page, EVIL)).to_be_visible()
    page.get_by_role("button", name="Edit this form").click()
    expect(page.get_by_label(f"Name of {EVIL}, ckpt_name")).to_be_visible()
    assert page.title() == "graph · Soundstage"


def test_earlier_results_are_looked_at_again(page: Page):
    opened(page, picture(seed=61))
    page.get_by_role("button", name="Show as a form").click()
    run(page)
    expect(result(page)).to_be_visible()
    first = result(page).get_attribute("src")
    page.get_by_role("spinbutton", name="seed").fill("62")
    run(page)
    earlier = page.get_by_role("region", name="Earlier results").get_by_role("listitem")
    expect(earlier).to_have_count(2)
    expect(result(page)).not_to_have_attribute("src", first or "")
    earlier.last.get_by_role("button").click()
    expect(result(page)).to_have_attribute("src", first or "")
    page.get_by_role("button", name="Back to the newest").click()
    expect(result(page)).not_to_have_attribute("src", first or "")


def test_a_picture_is_handed_to_the_devices_other_programs(visitor: Visitor):
    visitor.context.add_init_script(
        """navigator.canShare = () => true;
        navigator.share = async ({ files }) => {
          const [file] = files;
          const { width } = await createImageBitmap(file);
          document.body.dataset.shared = JSON.stringify([file.name, file.type, width]);
        };"""
    )
    page = visitor.open()
    opened(page, picture())
    page.get_by_role("button", name="Show as a form").click()
    run(page)
    page.get_by_role("button", name=re.compile("^Share ")).click()
    told = page.locator("body[data-shared]").get_attribute("data-shared")
    name, kind, width = json.loads(told or "")
    assert name.endswith(".png")
    assert (kind, width) == ("image/png", 512)


def test_it_works_from_another_machine_without_encryption(browser: Browser, tmp_path: Path):
    address = own_address()
    if address is None:
        pytest.skip("this machine has no address but its own loopback")
    service = start_service(tmp_path, "--listen", "0.0.0.0")
    try:
        url = re.sub(r"//[^:]+", f"//{address}", service.url)
        with visit(browser, url, viewport=PHONE, has_touch=True, is_mobile=True) as visitor:
            page = visitor.open()
            assert page.evaluate("window.isSecureContext") is False
            saved(page, picture(), "from afar")
            run(page)
            expect(result(page)).to_be_visible()
            page.get_by_role("button", name="Copy a link to this form").tap()
            expect(page.get_by_text("The address of this page is the link").first).to_be_visible()
            assert page.url.endswith("#saved=from+afar&as=form")
            assert visitor.complaints == []
    finally:
        service.stop()
