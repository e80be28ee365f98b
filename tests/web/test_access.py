"""The editor for everyone: axe finds nothing on any page, light or dark, on a phone too."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import CHECKOUT, Service
from tests.web.conftest import visit
from tests.web.graphs import opened, picture

AXE = CHECKOUT / "web" / "node_modules" / "axe-core" / "axe.min.js"


def violations(page: Page) -> list[tuple[str, Any]]:
    """What axe finds, and where."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        (one["id"], [(node["target"], node["failureSummary"][:200]) for node in one["nodes"][:3]])
        for one in found["violations"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, editor: Service, scheme: str):
    if not AXE.is_file():
        pytest.skip("axe-core is not installed; make web")
    with visit(browser, editor.url, color_scheme=scheme, reduced_motion="reduce") as visitor:
        page = visitor.open()
        expect(page.get_by_role("heading", name="Make pictures and voices")).to_be_visible()
        assert violations(page) == []
        opened(page, picture())
        for panel in ("Outline", "Problems", "Queue", "Results"):
            page.get_by_role("button", name=panel).click()
            assert violations(page) == []
        page.keyboard.press("a")
        assert violations(page) == []
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        assert violations(page) == []
