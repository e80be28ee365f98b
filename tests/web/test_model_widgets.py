"""Models are picked by picture, folder and name; missing ones are pulled when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Service
from tests.models_pull.test_one_file import PATH, WHOLE
from tests.models_pull.website import Serving, Site
from tests.web.graphs import Prompt, opened
from tests.web.test_access import violations
from tests.web.test_widgets import node, png


@pytest.fixture
def site() -> Iterator[Site]:
    """A web site with a model on it."""
    site = Site(files={PATH: WHOLE})
    serving = Serving(site)
    yield site
    site.open.set()
    serving.close()


def lora(name: str, url: str) -> dict[str, Any]:
    """A graph in a file of the editor's kind, which says where its model comes from."""
    models = [{"name": name, "url": url, "directory": "loras"}]
    node: dict[str, Any] = {
        "id": 1,
        "type": "LoraLoaderModelOnly",
        "pos": [0, 0],
        "size": [300, 100],
        "inputs": [{"name": "model", "type": "MODEL", "link": None}],
        "outputs": [{"name": "MODEL", "type": "MODEL", "links": []}],
        "properties": {"models": models},
        "widgets_values": [name, 1],
    }
    return {"version": 0.4, "nodes": [node], "links": [], "groups": []}


def test_a_missing_model_is_pulled_when_somebody_asks(page: Page, editor: Service, site: Site):
    site.open.clear()
    opened(page, lora("sub/wanted.safetensors", site.url + PATH))
    loader = node(page, "Load LoRA (Model Only)")
    expect(loader).to_contain_text("sub/wanted.safetensors is not here")
    expect(loader.locator(".node-warnings"), "it is said once").to_have_count(0)
    assert violations(page) == []
    loader.get_by_role("button", name="Pull sub/wanted.safetensors").click()
    ask = page.get_by_role("dialog", name="Fetch a model")
    expect(ask.get_by_label("Address of the file")).to_have_value(site.url + PATH)
    expect(ask).to_contain_text("models/loras/sub/wanted.safetensors")
    assert violations(page) == []
    assert site.asked == []
    page.keyboard.press("Enter")
    coming = loader.get_by_role("progressbar", name="Pulling sub/wanted.safetensors")
    expect(coming).to_be_visible()
    assert violations(page) == []
    page.reload()  # the pull goes on, and is seen again
    expect(coming).to_be_visible()
    site.open.set()
    expect(loader).not_to_contain_text("not here")
    expect(coming).to_be_hidden()
    assert (editor.home / "models" / "loras" / "sub" / "wanted.safetensors").read_bytes() == WHOLE


def test_a_pull_that_fails_says_why_and_one_that_is_stopped_ends(page: Page, site: Site):
    site.files["/page.safetensors"] = b"<html>"
    opened(page, lora("other.safetensors", f"{site.url}/page.safetensors"))
    loader = node(page, "Load LoRA (Model Only)")
    loader.get_by_role("button", name="Pull").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(loader).to_contain_text("no .safetensors file")
    site.open.clear()
    loader.get_by_role("button", name="Pull").click()
    page.get_by_label("Address of the file").fill(site.url + PATH)
    page.keyboard.press("Enter")
    loader.get_by_role("button", name="Stop pulling other.safetensors").click()
    expect(loader).to_contain_text("other.safetensors is not here")


def test_models_are_picked_by_picture_folder_and_name(page: Page, editor: Service):
    expect(page.get_by_role("heading", name="Make pictures and voices")).to_be_visible()
    folder = editor.home / "models" / "vae"  # files that come now are seen, too
    (folder / "deep").mkdir(exist_ok=True)
    for name in ("plain", "deep/one", "deep/two"):
        (folder / f"{name}.safetensors").write_bytes(WHOLE)
    (folder / "deep" / "one.preview.png").write_bytes(png())
    prompt: Prompt = {"1": {"class_type": "VAELoader", "inputs": {"vae_name": "plain.safetensors"}}}
    opened(page, prompt)
    loader = node(page, "Load VAE")
    expect(loader).to_contain_text("plain.safetensors is not here")
    field = loader.locator(".field-choice")
    field.focus()
    page.keyboard.press("Alt+ArrowDown")
    search = page.get_by_role("combobox", name="Search vae_name")
    deep = page.get_by_role("listbox", name="vae_name").get_by_role("group", name="deep")
    expect(deep.get_by_role("option", name="one.safetensors")).to_be_visible()
    expect(deep.locator("img")).to_have_count(1)
    shown = "image => image.decode().then(() => image.naturalWidth)"
    assert deep.locator("img").evaluate(shown) == 120
    expect(loader).not_to_contain_text("not here")
    expect(deep.get_by_role("option", name="two.safetensors")).to_contain_text("101 kB")
    assert violations(page) == []
    search.fill("deep two")
    page.keyboard.press("Enter")
    expect(field).to_contain_text("deep/two.safetensors")
    expect(field).to_be_focused()
