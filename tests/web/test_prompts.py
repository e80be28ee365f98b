"""Prompts: marks behind the words, tokens, choices, and what the service gets of them."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Page, expect

from tests.conftest import Service
from tests.web.graphs import opened, picture
from tests.web.test_access import violations
from tests.web.test_widgets import node, run


def test_weights_are_marked_counted_and_changed_with_keys(page: Page):
    prompt = picture()
    prompt["2"]["inputs"]["text"] = "a (red:1.3) fox"
    opened(page, prompt)
    field = node(page, "What to draw")
    words = field.get_by_role("textbox", name="text")
    strong = field.locator('.prompt-words[data-weight="2"]')
    expect(strong).to_have_text("red")
    expect(field.locator(".prompt-count")).to_have_text("3 / 30")
    words.focus()
    page.keyboard.press("Control+End")
    page.keyboard.press("Control+ArrowUp")
    expect(words).to_have_value("a (red:1.3) (fox:1.05)")
    page.keyboard.press("Control+ArrowUp")
    expect(words).to_have_value("a (red:1.3) (fox:1.1)")
    page.keyboard.press("Control+z")
    expect(words).to_have_value("a (red:1.3) (fox:1.05)")
    words.fill("many words, " * 20)
    expect(field.locator(".prompt-count")).to_have_text("100 / 120")
    assert violations(page) == []


def test_marks_lie_exactly_behind_their_words(page: Page):
    prompt = picture()
    prompt["2"]["inputs"]["text"] = "a (red:1.3) fox in the (snow:0.7), {day|night}\n" * 12
    opened(page, prompt)
    seen = """() => {
      const box = document.querySelector(".prompt");
      const layers = [box.querySelector("textarea"), box.querySelector(".prompt-marks")];
      const places = () => layers.map((layer) => layer.getBoundingClientRect().toJSON());
      box.scrollTop = 0;
      const before = places();
      box.scrollTop = 60;
      const after = places();
      box.style.alignItems = "start"; // each as high as its own lines
      const lines = places();
      box.style.alignItems = "";
      return { before, after, lines, inside: layers[0].scrollHeight - layers[0].clientHeight };
    }"""
    for width in (1440, 1439, 390):  # a graph, a form, a form on a phone
        page.set_viewport_size({"width": width, "height": 900})
        if width == 1439:
            page.get_by_role("button", name="Show as a form").click()
            expect(page.locator(".form .prompt")).to_have_count(2)
        places = page.evaluate(seen)
        for words, marks in (places["before"], places["after"], places["lines"]):
            assert words == marks
        assert places["before"][0]["y"] > places["after"][0]["y"]
        assert places["inside"] == 0


def test_a_long_prompt_shows_where_it_is_written(page: Page):
    prompt = picture()
    prompt["2"]["inputs"]["text"] = "a (red:1.3) fox\n" * 12
    opened(page, prompt)
    field = node(page, "What to draw")
    words, box = field.get_by_role("textbox", name="text"), field.locator(".prompt")
    ends = {
        "first": "(box) => box.scrollTop < 12",
        "last": "(box) => box.scrollTop + box.clientHeight > box.scrollHeight - 12",
    }
    words.focus()
    for key, end in (("Control+End", "last"), ("Control+Home", "first")):
        page.keyboard.press(key)
        page.wait_for_function(ends[end], arg=box.element_handle())
    page.keyboard.press("Control+End")
    for key in ("Enter", "a", "Enter", "b"):
        page.keyboard.press(key)
        page.wait_for_function(ends["last"], arg=box.element_handle())
    expect(words).to_have_value(re.compile(r"\n\na\nb$"))


def test_each_run_makes_choices_of_its_own(page: Page, editor: Service):
    prompt = picture(steps=1)
    prompt["2"]["inputs"]["text"] = "{red|blue} \\{apple\\} // not said"
    opened(page, prompt)
    expect(node(page, "What to draw").locator(".prompt-variant")).to_have_text("{red|blue}")
    entry = run(page, editor)
    assert entry["prompt"][2]["2"]["inputs"]["text"] in ("red {apple} ", "blue {apple} ")
    kept = entry["prompt"][3]["extra_pnginfo"]["workflow"]
    assert "{red|blue}" in json.dumps(kept)
