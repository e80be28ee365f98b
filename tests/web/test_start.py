"""The start page: what comes along, what was open, what was saved."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from tests import bundled
from tests.conftest import Service
from tests.web.conftest import Visitor, visit
from tests.web.graphs import kept, opened, picture
from tests.web.test_form import PHONE, too_wide

DECODED = "async (image) => (await image.decode(), image.naturalWidth)"


def test_every_bundled_workflow_has_a_card_with_its_picture(page: Page):
    cards = page.locator(".card")
    expect(cards).to_have_count(len(bundled.NAMES))
    for name in bundled.NAMES:
        about = bundled.document(name)["extra"]["soundstage"]
        card = cards.filter(has=page.get_by_role("heading", name=about["title"], exact=True))
        expect(card).to_contain_text(about["words"])
        for need in about["needs"]:
            expect(card).to_contain_text(need)
        assert card.locator("img").evaluate(DECODED) == 256


def test_a_card_says_what_is_not_there(page: Page):
    card = page.locator(".card").filter(has_text="A voice from words")
    expect(card).to_contain_text("Not here yet: Kokoro voice")
    expect(page.locator(".card").filter(has_text="A picture from words")).not_to_contain_text(
        "Not here"
    )


def test_cards_are_filtered_by_kind_and_words(page: Page):
    cards = page.locator(".card")
    page.get_by_role("button", name="Voices", exact=True).click()
    expect(cards).to_have_count(3)
    page.get_by_role("button", name="All", exact=True).click()
    page.get_by_role("searchbox", name="Filter the workflows").fill("seeds contact")
    expect(cards).to_have_count(1)
    expect(page.get_by_role("status").filter(has_text="1 workflow")).to_be_attached()
    page.get_by_role("searchbox", name="Filter the workflows").fill("nothing like that")
    expect(page.get_by_text("No workflow is like that.")).to_be_visible()


def test_a_card_opens_as_a_form_with_its_own_questions(page: Page):
    page.get_by_role("button", name="Open A sunset without a model as a form").click()
    expect(page.get_by_role("heading", name="A sunset without a model")).to_be_visible()
    expect(page.get_by_role("group", name="Sun", exact=True)).to_be_visible()
    page.get_by_role("button", name="Run", exact=True).click()
    drawn = page.get_by_role("figure", name="Save the picture").get_by_role("img")
    assert drawn.evaluate(DECODED) == 512


def test_what_was_open_is_gone_on_with(visitor: Visitor):
    page = visitor.open()
    opened(page, picture(), "yesterday")
    kept(page, '"name":"yesterday"')
    later = visitor.open()
    recent = later.get_by_role("button", name="yesterday")
    expect(recent).to_contain_text("just now")
    recent.click()
    expect(later.get_by_role("region", name="Graph")).to_be_visible()


def test_a_phone_is_wide_enough(browser: Browser, editor: Service):
    with visit(browser, editor.url, viewport=PHONE, has_touch=True, is_mobile=True) as visitor:
        page = visitor.open()
        expect(page.locator(".card")).to_have_count(len(bundled.NAMES))
        assert too_wide(page) == 0
        page.get_by_role("button", name="A picture from words", exact=True).tap()
        expect(page.get_by_role("group", name="What to draw", exact=True)).to_be_visible()
        assert visitor.complaints == []
