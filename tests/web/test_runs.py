"""Running graphs in the editor."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.web.conftest import Desk, Visitor
from tests.web.graphs import drop, kept, opened, picture

LONG = 10_000  # as many as there may be: all of these are stopped


def node(page: Page, title: str) -> Locator:
    """The node of that title."""
    return page.locator(".react-flow__node", has=page.get_by_text(title, exact=True))


def run(page: Page) -> None:
    page.get_by_role("button", name="Run", exact=True).click()


def test_the_demo_runs_by_one_click(page: Page):
    page.get_by_role("button", name="Run the demo").click()
    drawn = node(page, "Save the picture").get_by_role("img")
    expect(drawn).to_be_visible()
    assert drawn.evaluate("async (image) => (await image.decode(), image.naturalWidth)") == 512
    # There is no voice here: what runs is the demo that needs none, so nothing is complained of.
    expect(page.locator(".notice-error")).to_be_hidden()


def test_a_second_run_finds_what_the_first_one_made(page: Page):
    opened(page, picture(seed=21))
    run(page)
    expect(node(page, "Save the picture").get_by_role("img")).to_be_visible()
    expect(node(page, "Draw").get_by_text(re.compile(r"\d m?s$"))).to_be_visible()
    run(page)
    expect(node(page, "Draw").get_by_text("cached")).to_be_visible()


def test_a_reload_in_mid_run_shows_the_same_and_stops_it(page: Page):
    prompt = picture(steps=LONG)
    plain = {"width": 64, "height": 64, "batch_size": 1, "color": 255}
    prompt["20"] = {"class_type": "EmptyImage", "inputs": plain, "_meta": {"title": "Blue"}}
    shown = {"images": ["20", 0]}
    prompt["21"] = {"class_type": "PreviewImage", "inputs": shown, "_meta": {"title": "Look"}}
    opened(page, prompt)
    run(page)
    steps = node(page, "Draw").get_by_text(re.compile(rf"^\d+/{LONG}$"))
    took = node(page, "Blue").get_by_text(re.compile(r"^\d+ ms$"))
    picture_so_far = node(page, "Look").get_by_role("img")
    for sign in (steps, took, picture_so_far):
        expect(sign).to_be_visible()
    seconds, source = took.inner_text(), picture_so_far.get_attribute("src")
    page.reload()
    expect(steps).to_be_visible()
    expect(took).to_have_text(seconds)
    expect(picture_so_far).to_have_attribute("src", source or "")
    page.get_by_role("button", name="Stop").click()
    expect(steps).to_be_hidden()
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    page.get_by_role("button", name="Queue").click()
    expect(page.get_by_text("cancelled").first).to_be_visible()


# Of every change of the page in which a node tells of another step: the nodes that change in it.
STEPS_SEEN = """() => {
  window.steps = [];
  const nodeOf = ({ target }) =>
    (target.closest ? target : target.parentElement)?.closest(".react-flow__node")?.dataset.id;
  const counts = ({ type, target }) =>
    type === "characterData" && /^\\d+\\/\\d+$/.test(target.data);
  new MutationObserver((records) => {
    if (records.some(counts)) steps.push([...new Set(records.map(nodeOf).filter(Boolean))]);
  }).observe(document, {
    subtree: true, childList: true, attributes: true, characterData: true,
  });
}"""


def test_a_step_of_progress_changes_one_node_alone(visitor: Visitor):
    page = visitor.open()
    opened(page, picture(steps=LONG))
    page.evaluate(STEPS_SEEN)
    run(page)
    page.wait_for_function("() => steps.length >= 5")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    steps: list[list[str]] = page.evaluate("() => steps")
    assert {tuple(nodes) for nodes in steps} == {("5",)}


def test_a_preview_is_shown_while_it_is_drawn(page: Page):
    opened(page, picture(steps=LONG, seed=2))
    run(page)
    preview = node(page, "Draw").get_by_role("img", name="Preview of the picture so far")
    expect(preview).to_be_visible()
    # The next one takes its place at any time, so it cannot be awaited by itself.
    page.wait_for_function(
        "(name) => [...document.images].some((one) => one.alt === name && one.naturalWidth > 8)",
        arg="Preview of the picture so far",
    )
    page.get_by_role("button", name="Stop").click()
    expect(preview).to_be_hidden()


def test_another_tab_hears_of_the_run(visitor: Visitor):
    first, second = visitor.open(), visitor.open()
    opened(first, picture(steps=LONG))
    expect(second.get_by_role("heading", name="Make pictures and voices")).to_be_visible()
    run(first)
    steps = re.compile(rf"^\d+/{LONG}$")
    expect(node(first, "Draw").get_by_text(steps)).to_be_visible()
    kept(first, '"name":"graph"')
    second.reload()
    second.get_by_role("button", name=re.compile("^graph")).click()
    expect(node(second, "Draw").get_by_text(steps)).to_be_visible()
    second.get_by_role("button", name="Stop").click()
    expect(node(first, "Draw").get_by_text(steps)).to_be_hidden()
    run(second)
    expect(node(second, "Draw").get_by_text(steps)).to_be_visible()
    expect(first.get_by_role("button", name="Queue")).to_contain_text("1")
    expect(node(first, "Draw").get_by_text(steps), "it shows its own run").to_be_hidden()
    second.get_by_role("button", name="Stop").click()
    expect(node(second, "Draw").get_by_text(steps)).to_be_hidden()


def test_a_picture_dropped_in_opens_the_graph_that_made_it(page: Page):
    prompt = picture(seed=5)
    prompt["2"]["inputs"]["text"] = "blue fish"
    opened(page, prompt)
    run(page)
    drawn = node(page, "Save the picture").get_by_role("img")
    expect(drawn).to_be_visible()
    source = drawn.get_attribute("src")
    assert source is not None
    data = page.request.get(source).body()
    drop(page, "fish.png", data, "image/png")
    expect(page.get_by_role("button", name="fish", exact=True)).to_be_visible()
    expect(node(page, "What to draw").get_by_label("text")).to_have_value("blue fish")


def test_the_service_refuses_and_the_node_says_why(page: Page, desk: Desk):
    prompt = picture()
    del prompt["6"]["inputs"]["vae"]
    opened(page, prompt)
    run(page)
    why = node(page, "Develop").get_by_role("alert")
    expect(why).to_contain_text("vae is missing: link something to it")
    problems = page.get_by_role("complementary", name="Problems").get_by_role("listitem")
    expect(problems).to_have_count(1)
    problems.get_by_role("button", name="Develop").click()
    expect(node(page, "Develop")).to_have_class(re.compile(r"\bselected\b"))
    page.keyboard.press("Delete")
    expect(problems).to_contain_text("image is missing")
    page.get_by_role("button", name="Undo").click()
    expect(problems).to_contain_text("vae is missing")
    desk.forgive()  # the console tells of the 400


def test_what_is_wrong_stands_at_the_node_before_anybody_runs_it(page: Page):
    prompt = picture()
    prompt["5"]["inputs"] |= {"steps": -3, "sampler_name": "guessing"}
    opened(page, prompt)
    draw = node(page, "Draw")
    expect(draw).to_contain_text("steps: -3 is not between 1 and 10000.")
    expect(draw).to_contain_text("there is no guessing; choose another one")
    steps = draw.get_by_role("spinbutton", name="steps")
    steps.click()
    steps.fill("4")
    steps.press("Enter")
    expect(draw).not_to_contain_text("is not between")
    page.get_by_role("button", name="Problems").click()
    problems = page.get_by_role("complementary", name="Problems").get_by_role("listitem")
    expect(problems).to_have_count(1)


def test_results_are_kept_and_open_again_as_graphs(page: Page):
    prompt = picture(seed=31)
    prompt["2"]["inputs"]["text"] = "Violet mushroom"
    opened(page, prompt)
    run(page)
    expect(node(page, "Save the picture").get_by_role("img")).to_be_visible()
    page.get_by_role("button", name="Results").click()
    results = page.get_by_role("complementary", name="Results")
    results.get_by_role("searchbox").fill("violet mushroom")
    expect(results.get_by_role("listitem")).to_have_count(1)
    results.get_by_role("button", name="Open the graph of this").click()
    expect(page.get_by_role("button", name=re.compile("^Result "))).to_be_visible()
    expect(node(page, "Draw").get_by_role("spinbutton", name="seed")).to_have_value("31")
