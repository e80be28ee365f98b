"""The service goes in mid-run, and comes back."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.conftest import free_port, start_service
from tests.web.conftest import visit
from tests.web.graphs import opened, picture
from tests.web.test_runs import LONG, node, run

SECONDS = 3  # a clock that ran on would show another number by then


def test_it_says_so_and_goes_on_when_it_is_back(browser: Browser, tmp_path: Path):
    flags = ("--port", str(free_port()))
    service = start_service(tmp_path / "home", *flags)
    with ExitStack() as ends:
        ends.callback(lambda: service.stop())
        visitor = ends.enter_context(visit(browser, service.url))
        page = visitor.open()
        opened(page, picture(steps=LONG))
        run(page)
        steps = node(page, "Draw").get_by_text(re.compile(rf"^\d+/{LONG}$"))
        expect(steps).to_be_visible()
        service.stop()
        expect(page.get_by_text("No connection to the service; trying again")).to_be_visible()
        run(page)
        expect(page.locator(".notice-error")).to_contain_text("does not answer")
        # Nobody knows how far it is: what was counted stands still.
        badge = node(page, "Draw").locator(".node-badge")
        stood = badge.inner_text()
        expect(badge).not_to_have_class(re.compile("running"))
        page.wait_for_timeout(SECONDS * 1000)
        expect(badge).to_have_text(stood.replace("\n", ""))
        service = start_service(tmp_path / "home", *flags)
        expect(page.get_by_text("No connection to the service; trying again")).to_be_hidden()
        expect(page.locator(".notice")).to_have_count(0)
        page.get_by_role("button", name="New workflow").click()
        expect(page.locator(".notice")).to_have_count(0)
        page.get_by_role("button", name="graph", exact=True).click()
        expect(steps).to_be_visible()
        expect(badge).to_have_class(re.compile("running"))
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_role("button", name="Stop")).to_be_hidden()
