"""What the editor says of runs is so: what is stopped, what is wrong, what was warned of; and what
it knew before a reload it knows after."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.conftest import Service
from tests.server.conftest import chain, slow
from tests.server.conftest import node as packed
from tests.web.conftest import Desk
from tests.web.graphs import kept, opened, picture
from tests.web.test_access import violations
from tests.web.test_editing import UNDO, add, nodes
from tests.web.test_queue import titled
from tests.web.test_runs import node, run

LANES = 4  # so many jobs run at once
BADGE = re.compile(r"\d+ ?m?s$|^cached$")


@pytest.fixture
def page(page: Page, editor: Service) -> Iterator[Page]:
    """A page on a service that is left with nothing to do."""
    yield page
    page.request.post(f"{editor.url}/queue", data={"clear": True})
    page.request.post(f"{editor.url}/interrupt", data={})


def problems(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Problems").get_by_role("listitem")


def notices(page: Page) -> Locator:
    return page.locator(".notice")


def test_stop_ends_what_runs_and_the_canvas_shows_what_runs(page: Page):
    opened(page, titled(slow(), Wait="2"))
    for _ in range(LANES + 2):
        page.keyboard.press("Control+Enter")
    page.get_by_role("button", name="Queue").click()
    queue = page.get_by_role("complementary", name="Queue")
    running, waiting = (queue.get_by_role("region", name=name) for name in ("Running", "Waiting"))
    expect(running.get_by_role("listitem")).to_have_count(LANES)
    expect(waiting.get_by_role("listitem")).to_have_count(2)
    expect(node(page, "Wait").locator(".node-badge-running")).to_be_visible()
    first = running.get_by_role("listitem").last.get_by_role("button").first

    page.get_by_role("button", name="Stop").click()
    expect(notices(page)).to_contain_text(f"{LANES} runs stopped, 2 wait")
    # What waited runs now, and is what the canvas shows.
    expect(waiting).to_be_hidden()
    expect(running.get_by_role("listitem")).to_have_count(2)
    expect(first).to_be_visible()
    expect(node(page, "Wait").locator(".node-badge-running")).to_be_visible()

    page.get_by_role("button", name="Which runs").click()
    assert violations(page) == []
    page.get_by_role("button", name="This run", exact=True).click()
    expect(running.get_by_role("listitem")).to_have_count(1)
    expect(node(page, "Wait").locator(".node-badge-running")).to_be_visible()
    page.keyboard.press("Control+Enter")
    page.get_by_role("button", name="Which runs").click()
    page.get_by_role("button", name="All of this workflow (2)").click()
    expect(running).to_be_hidden()
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    expect(node(page, "Wait").locator(".node-badge-running")).to_be_hidden()


def test_a_warning_stands_at_its_node_until_a_run_without_it(page: Page):
    said = "Two of the letters were unknown"
    prompt = chain(packed("Warn", value=["1", 0], message=said))
    del prompt["2"]["inputs"]["log"]
    opened(page, titled(prompt, Careful="2"))
    run(page)
    careful = node(page, "Careful")
    expect(careful).to_contain_text(f"Warning: {said}")
    page.get_by_role("button", name="Problems").click()
    expect(problems(page)).to_have_count(1)
    expect(problems(page)).to_contain_text(f"Warning: {said}")
    assert violations(page) == []
    page.reload()
    expect(careful, "the service remembers it").to_contain_text(said)
    page.get_by_role("button", name="Show as a form").click()
    warned = page.get_by_role("region", name="Results").get_by_role("list", name="Warnings")
    expect(warned).to_contain_text(f"Careful: {said}")
    assert violations(page) == []
    page.get_by_role("button", name="Show as a graph").click()

    page.get_by_text("Careful", exact=True).click()
    page.keyboard.press("Control+b")
    run(page)
    expect(careful).not_to_contain_text(said)
    expect(problems(page)).to_have_count(0)


def test_what_a_run_failed_by_goes_and_comes_with_its_cause(page: Page):
    prompt = chain(packed("Divide", a=["1", 0], b=0))
    del prompt["2"]["inputs"]["log"]
    opened(page, titled(prompt, Divisor="2", Number="1"))
    run(page)
    divisor = node(page, "Divisor")
    alert = divisor.get_by_role("alert")
    expect(alert).to_be_visible()
    page.get_by_role("button", name="Problems").click()
    expect(problems(page)).to_have_count(1)
    value = divisor.get_by_role("spinbutton", name="b", exact=True)
    value.click()
    value.fill("3")
    value.press("Enter")
    expect(alert).to_be_hidden()
    expect(divisor.locator(".node-failed")).to_be_hidden()
    expect(problems(page)).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(alert).to_be_visible()
    expect(problems(page)).to_have_count(1)
    # What flows into it is of its cause too, what is beside it is not.
    given = node(page, "Number").get_by_role("spinbutton", name="value")
    given.click()
    given.fill("12")
    given.press("Enter")
    expect(alert).to_be_hidden()
    page.get_by_role("button", name="Undo").click()
    expect(alert).to_be_visible()


def test_the_notice_counts_what_the_list_has_and_goes_with_it(page: Page, desk: Desk):
    prompt = picture()
    del prompt["6"]["inputs"]["vae"]
    prompt["5"]["inputs"] |= {"steps": -3, "sampler_name": "guessing"}
    prompt["7"]["class_type"] = "NobodyKnowsThis"
    opened(page, prompt)
    run(page)
    expect(problems(page).first).to_be_visible()
    listed = problems(page).count()
    assert listed > 1
    expect(notices(page)).to_contain_text(f"3 nodes have problems, {listed} in all")
    page.get_by_role("button", name="New workflow").click()
    expect(notices(page)).to_have_count(0)
    page.get_by_role("button", name="graph", exact=True).click()
    node(page, "Enlarge").locator(".node-header").click()
    page.keyboard.press("Delete")
    expect(problems(page).filter(has_text="NobodyKnowsThis")).to_have_count(0)
    expect(notices(page)).to_contain_text(f"3 nodes have problems, {problems(page).count()} in all")
    node(page, "Draw").locator(".node-header").click()
    page.keyboard.press("Delete")
    expect(problems(page)).to_have_count(3)
    expect(notices(page)).to_contain_text("2 nodes have problems, 3 in all")
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    expect(problems(page)).to_have_count(0)
    expect(notices(page)).to_have_count(0)
    desk.forgive()  # the console tells of the 400


def test_a_new_node_shows_nothing_of_one_that_is_gone(page: Page):
    opened(page, chain())
    run(page)
    expect(node(page, "Show").get_by_text(BADGE).first).to_be_visible()
    node(page, "Show").locator(".node-header").click()
    page.keyboard.press("Delete")
    expect(nodes(page)).to_have_count(2)
    add(page, "load image")
    new = node(page, "Load Image")
    expect(new).to_be_visible()
    expect(new.locator(".node-badge")).to_have_count(0)
    ids = [new.get_attribute("data-id")]
    for name in ("ksampler", "save image"):
        page.get_by_role("button", name="Undo").click()
        expect(nodes(page)).to_have_count(2)
        add(page, name)
        expect(nodes(page)).to_have_count(3)
        ids.append(nodes(page).last.get_attribute("data-id"))
    assert len({*ids, "1", "2", "3"}) == len(ids) + 3


def test_results_are_at_their_nodes_and_in_the_form_after_a_reload(page: Page):
    opened(page, picture(seed=91))
    run(page)
    drawn = node(page, "Save the picture").get_by_role("img")
    took = node(page, "Draw").get_by_text(re.compile(r"\d m?s$"))
    expect(drawn).to_be_visible()
    expect(took).to_be_visible()
    seconds, source = took.inner_text(), drawn.get_attribute("src") or ""
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    page.reload()
    expect(drawn).to_have_attribute("src", source)
    expect(took).to_have_text(seconds)
    page.get_by_role("button", name="Show as a form").click()
    results = page.get_by_role("region", name="Results")
    expect(results.locator(f'img[src="{source}"]')).to_be_visible()
    expect(results.get_by_text("What it makes will be shown here")).to_be_hidden()
    page.reload()
    expect(results.locator(f'img[src="{source}"]')).to_be_visible()


def test_what_was_done_can_be_undone_after_a_reload(page: Page):
    opened(page, picture())
    before = nodes(page).count()
    add(page, "invert image")
    add(page, "save audio")
    page.keyboard.press("Escape")
    kept(page, '"SaveAudio"')
    page.reload()
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_enabled()
    page.keyboard.press(UNDO)
    page.keyboard.press(UNDO)
    page.keyboard.press(".")
    expect(nodes(page)).to_have_count(before)
    expect(undo).to_be_disabled()
    kept(page, '"history":{"past":[]')  # both, not only the first
    page.reload()
    page.get_by_role("button", name="Redo").click()
    page.get_by_role("button", name="Redo").click()
    expect(page.get_by_role("button", name="Redo")).to_be_disabled()
    page.keyboard.press("Escape")
    page.keyboard.press(".")
    expect(nodes(page)).to_have_count(before + 2)
