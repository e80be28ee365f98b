"""Files of ComfyUI that ask for what is not here: each thing shown once, and in plain words."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from engine.authoring.registry import Registry
from engine.graph.core_nodes import CORE_NODES
from tests.graph.infotexts import CARRIERS, OTHERS
from tests.web.conftest import Desk
from tests.web.graphs import drop, opened, picture
from tests.web.test_access import violations
from tests.web.test_runs import node, run

HOST = "Flux.1 Fill Dev Image Inpainting"
UNSUPPORTED = max(sorted(CORE_NODES - set(Registry.installed().nodes)), key=len)
INSIDE = f"{HOST} \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} {UNSUPPORTED}"
MODEL = "flux1-fill-dev.safetensors"
MISSING = [
    f"{HOST}unet_name: the model {MODEL} is not here; pull it, or choose another one.",
    f"{HOST}vae_name: the model ae.safetensors is not here; pull it, or choose another one.",
    f"{INSIDE}{UNSUPPORTED} is a node of ComfyUI that is not supported yet; use another one.",
    "Load Imageimage: flux_fill_inpaint_example_input_image.png is not here; "
    "upload it, or choose another picture.",
]


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    """An official template whose subgraph asks for models by sockets and by names.

    One of its loaders is replaced by a node that is not supported.
    """
    spec = importlib.util.find_spec("comfyui_workflow_templates_json")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("the templates of ComfyUI are not installed")
    folder = Path(spec.submodule_search_locations[0]) / "templates"
    text = (folder / "flux_fill_inpaint_example.json").read_text()
    return json.loads(text.replace('"type": "DualCLIPLoader"', f'"type": "{UNSUPPORTED}"'))


def test_a_widget_that_is_promoted_twice_is_shown_once(page: Page, template: dict[str, Any]):
    opened(page, template)
    host = node(page, HOST)
    expect(host.get_by_role("textbox", name="prompt")).to_have_count(1)
    expect(host.locator("textarea")).to_have_count(1)
    for name in ("unet_name", "vae_name"):
        expect(host.locator(".field-choice", has_text=name)).to_have_count(1)
    expect(host.get_by_role("spinbutton", name="seed")).to_have_count(1)
    host.get_by_role("textbox", name="prompt").fill("a red fox")
    host.get_by_role("button", name=f"Look inside of {HOST}").click()
    expect(node(page, "CLIP Text Encode (Positive Prompt)")).to_be_visible()


def test_pull_of_a_promoted_model_knows_where_it_comes_from(page: Page, template: dict[str, Any]):
    opened(page, template)
    node(page, HOST).get_by_role("button", name=f"Pull {MODEL}").click()
    ask = page.get_by_role("dialog", name="Fetch a model")
    expect(ask.get_by_label("Address of the file")).to_have_value(
        "https://huggingface.co/Comfy-Org/flux1-dev/resolve/main/split_files/diffusion_models/"
        + MODEL
    )
    expect(ask).to_contain_text(f"models/diffusion_models/{MODEL}")


def test_problems_lists_what_is_missing_inside_and_says_where(
    page: Page, desk: Desk, template: dict[str, Any]
):
    opened(page, template)
    page.get_by_role("button", name="Problems").click()
    rows = page.get_by_role("complementary", name="Problems").get_by_role("listitem")
    expect(rows).to_have_count(len(MISSING))
    assert sorted(rows.all_inner_texts()) == sorted(
        re.sub(f"^({re.escape(INSIDE)}|{re.escape(HOST)}|Load Image)", r"\1\n", row)
        for row in MISSING
    )
    assert violations(page) == []
    run(page)
    notice = page.locator(".notice-error")
    expect(notice).to_contain_text("It cannot run yet: 3 nodes have problems")
    expect(page.get_by_text("Node ID")).to_have_count(0)
    rows.filter(has_text=UNSUPPORTED).get_by_role("button").click()
    expect(page.get_by_role("navigation", name="Where you are")).to_contain_text(HOST)
    expect(node(page, UNSUPPORTED)).to_contain_text("is not supported yet")
    desk.forgive()  # the console tells of the 400


def test_a_search_for_what_is_not_supported_says_so(page: Page):
    opened(page, picture())
    page.keyboard.press("a")
    search = page.get_by_role("combobox", name="Search nodes")
    search.fill(UNSUPPORTED)
    found = page.get_by_role("option", name=re.compile(f"^{re.escape(UNSUPPORTED)}"))
    expect(found).to_contain_text("not supported yet")
    expect(found).to_have_attribute("aria-disabled", "true")
    assert violations(page) == []
    search.fill("sampler dpm")
    expect(page.get_by_role("option", name=re.compile("^Sampler DPM Adaptive"))).to_be_visible()
    expect(page.get_by_role("option", name=re.compile(r"^Sampler DPM\+\+ 2M SDE"))).to_be_visible()


def test_the_counter_of_a_prompt_is_the_same_inside_of_a_subgraph(page: Page):
    opened(page, picture())
    count = page.locator(".prompt-count")
    words = node(page, "What to draw")
    outside = words.locator(".prompt-count")
    expect(outside).to_have_text(re.compile(r"^\d+ / 30$"))
    said = outside.inner_text()
    words.locator("header").click()
    page.keyboard.press("Control+Shift+e")
    expect(node(page, "Subgraph")).to_be_visible()
    page.get_by_role("button", name="Look inside of Subgraph").click()
    expect(count).to_have_count(1)
    expect(count).to_have_text(said)


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("one.png", CARRIERS["PNG, iTXt"], "image/png"),
        ("two.jpg", CARRIERS["JPEG"], "image/jpeg"),
        ("three.webp", CARRIERS["WebP"], "image/webp"),
        ("four.png", OTHERS["SwarmUI"], "image/png"),
    ],
    ids=["PNG", "JPEG", "WebP", "SwarmUI"],
)
def test_a_picture_of_another_program_opens_as_a_graph(
    page: Page, name: str, data: bytes, kind: str
):
    opened(page, picture())
    drop(page, name, data, kind)
    expect(page.get_by_role("button", name=name.partition(".")[0], exact=True)).to_be_visible()
