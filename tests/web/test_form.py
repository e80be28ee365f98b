"""A graph as a plain form, on a phone too."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.conftest import Service
from tests.web.conftest import Visitor, visit
from tests.web.graphs import opened, picture
from tests.web.test_access import violations

PHONE: ViewportSize = {"width": 390, "height": 780}


def test_a_phone_shows_a_form_and_runs_it(browser: Browser, editor: Service):
    with visit(browser, editor.url, viewport=PHONE, has_touch=True, is_mobile=True) as visitor:
        page = visitor.open()
        opened(page, picture())
        page.get_by_role("group", name="What to draw").get_by_label("text").fill("yellow star")
        page.get_by_role("button", name="Run", exact=True).tap()
        shown = page.get_by_role("figure", name="Save the picture").get_by_role("img")
        expect(shown).to_be_visible()
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) == 0
        assert violations(page) == []
        assert visitor.complaints == []


def test_a_form_and_its_graph_are_one(page: Page):
    opened(page, picture())
    page.get_by_role("button", name="Show as a form").click()
    page.get_by_role("group", name="What to draw").get_by_label("text").fill("green leaf")
    page.get_by_text("Settings", exact=True).click()
    page.get_by_role("spinbutton", name="steps").fill("3")
    page.get_by_role("button", name="Show as a graph").click()
    expect(page.get_by_role("spinbutton", name="steps")).to_have_value("3")
    expect(page.locator("textarea").filter(has_text="green leaf")).to_be_visible()


def test_an_address_opens_a_saved_workflow_as_a_form(visitor: Visitor):
    page = visitor.open()
    opened(page, picture(), "mine & yours")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("mine & yours is saved").first).to_be_visible()
    other = visitor.context.new_page()
    other.goto(f"{visitor.url}#saved=mine+%26+yours&as=form")
    expect(other.get_by_role("group", name="What to draw")).to_be_visible()
