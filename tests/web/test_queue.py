"""The queue of everybody, and the timeline of a run."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Service
from tests.server.conftest import Prompt, chain, slow
from tests.web.graphs import opened
from tests.web.test_access import violations
from tests.web.test_runs import node, run

MANY = 120


@pytest.fixture
def page(page: Page, editor: Service) -> Iterator[Page]:
    """A page on a service that is left with nothing to do."""
    yield page
    page.request.post(f"{editor.url}/queue", data={"clear": True})
    page.request.post(f"{editor.url}/interrupt", data={})


def titled(prompt: Prompt, **titles: str) -> Prompt:
    for name, id in titles.items():
        prompt[id]["_meta"] = {"title": name}
    return prompt


def test_jobs_of_others_are_seen_moved_to_the_front_and_cancelled(page: Page, editor: Service):
    url = editor.url
    post = page.request.post
    for _ in range(4):
        post(f"{url}/prompt", data={"prompt": slow()})
    ids = [post(f"{url}/prompt", data={"prompt": chain()}).json()["prompt_id"] for _ in range(MANY)]
    opened(page, chain())
    page.get_by_role("button", name="Queue").click()
    running, waiting = (page.get_by_role("region", name=name) for name in ("Running", "Waiting"))
    expect(running.get_by_role("listitem")).to_have_count(4)
    expect(waiting.get_by_role("heading")).to_have_text(f"Waiting {MANY}")
    expect(waiting.get_by_role("listitem")).to_have_count(50)
    waiting.get_by_role("button", name="70 more wait").click()
    expect(waiting.get_by_role("listitem")).to_have_count(MANY)
    assert violations(page) == []

    last = waiting.get_by_role("listitem").last
    last.get_by_role("button", name="Move to the front").click()
    first = waiting.get_by_role("listitem").first
    expect(first).to_contain_text(ids[-1][:8])
    first.get_by_role("button", name="Cancel").click()
    expect(waiting.get_by_role("listitem")).to_have_count(MANY - 1)
    expect(first).to_contain_text(ids[0][:8])
    waiting.get_by_role("button", name="Cancel all").click()
    waiting.get_by_role("button", name=f"Really cancel {MANY - 1}?").click()
    expect(waiting).to_be_hidden()
    running.get_by_role("button", name="Cancel").first.click()
    expect(running.get_by_role("listitem")).to_have_count(3)
    expect(page.get_by_role("region", name="Ended")).to_contain_text("cancelled")


def test_what_runs_for_somebody_else_is_followed_in_the_timeline(page: Page, editor: Service):
    prompt = titled(slow(), Then="2") | {"4": slow(2)["2"]}
    prompt["2"]["inputs"]["value"] = ["4", 0]
    sent = page.request.post(f"{editor.url}/prompt", data={"prompt": prompt})
    opened(page, chain())
    page.get_by_role("button", name="Queue").click()
    job = page.get_by_role("listitem").filter(has_text=f"Job {sent.json()['prompt_id'][:8]}")
    job.get_by_role("button", name="Show the timeline").click()
    shown = page.get_by_role("region", name="Run timeline")
    expect(shown.get_by_role("button", name="Then: runs, in CPU")).to_be_visible()


def test_a_run_is_seen_as_a_timeline_while_it_goes_on_and_later(page: Page):
    prompt = titled(slow(), Begin="1", Wait="2", End="3")
    opened(page, prompt)
    page.keyboard.press("t")
    shown = page.get_by_role("region", name="Run timeline")
    expect(shown).to_contain_text("has not run yet")
    run(page)
    waits = shown.get_by_role("button", name="Wait: runs, in CPU · lane")
    expect(waits).to_be_visible()
    assert violations(page) == []

    shown.get_by_role("button", name="Begin:").focus()
    page.keyboard.press("ArrowRight")
    expect(waits).to_be_focused()
    page.keyboard.press("+")
    expect(shown.get_by_role("button", name="The whole run")).to_be_enabled()
    page.keyboard.press("Enter")
    expect(node(page, "Wait")).to_have_class(re.compile(r"\bselected\b"))
    page.get_by_role("button", name="Stop").click()
    expect(shown.get_by_role("button", name="Wait: runs")).to_be_hidden()
    shown.get_by_role("button", name="As a table").click()
    rows = shown.get_by_role("row")
    expect(rows).to_have_count(3)
    expect(rows.nth(2)).to_contain_text("Wait")
    assert violations(page) == []

    page.reload()
    page.get_by_role("button", name="Queue").click()
    page.get_by_role("button", name="Show the timeline").first.click()
    expect(shown.get_by_role("button", name="Wait:")).to_be_visible()
