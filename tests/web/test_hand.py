"""What the canvas shows the hand that draws a link."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.web.graphs import opened, picture

LIT = re.compile(r"\bsocket-fits\b")
DIM = 0.25


def socket(page: Page, title: str, key: str) -> Locator:
    node = page.locator(".react-flow__node").filter(has=page.get_by_text(title, exact=True))
    return node.locator(f"[data-handleid='{key}']")


def take(page: Page, source: Locator, x: float, y: float) -> None:
    """A link drawn from a socket to a point of the screen, and held there."""
    box = source.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(x, y, steps=4)


def test_a_link_in_the_air_lights_the_sockets_that_take_it_and_waits_for_the_node(page: Page):
    opened(page, picture())
    take(page, socket(page, "Demo model", "out:2"), 700, 800)  # a VAE
    takes, refuses = socket(page, "Develop", "in:vae"), socket(page, "Draw", "in:model")
    expect(takes).to_have_class(LIT)
    expect(refuses).not_to_have_class(LIT)
    expect(refuses).to_have_css("opacity", str(DIM))
    page.mouse.up()
    expect(page.locator(".socket-fits")).to_have_count(0)
    expect(refuses).to_have_css("opacity", "1")
    end = page.locator(".link-waiting circle")
    expect(end).to_be_visible()
    box = end.bounding_box()
    assert box is not None
    assert abs(box["x"] + box["width"] / 2 - 700) < 2
    assert abs(box["y"] + box["height"] / 2 - 800) < 2
    page.keyboard.press("Escape")
    expect(page.locator(".link-waiting")).to_have_count(0)
