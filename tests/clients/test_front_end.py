"""ComfyUI's own browser app, shown by `serve --front-end-root`, against our service."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Page, expect

from tests import patience
from tests.clients.browser_app import App
from tests.clients.drawings import flipped, plain, slow, workflow
from tests.conftest import Service, free_port, start_service
from tests.server.conftest import Caller, node

pytestmark = pytest.mark.asyncio(loop_scope="module")

PACK = """
class Greet:
    INPUT_TYPES = classmethod(lambda cls: {"required": {"name": ("STRING", {"default": "me"})}})
    RETURN_TYPES = ()
    FUNCTION = "greet"
    OUTPUT_NODE = True
    CATEGORY = "greeting"

    def greet(self, name):
        return {"ui": {"greeting": ["hello, " + name]}}


NODE_CLASS_MAPPINGS = {"Greet": Greet}
WEB_DIRECTORY = "./web"
"""
SCRIPT = """
import { app } from "../../scripts/app.js";
import "../core/widgetInputs.js";

app.registerExtension({
  name: "greeting",
  async beforeRegisterNodeDef(type, definition) {
    if (definition.name !== "Greet") return;
    window.greeting = `Greet of ${definition.category}`;
    type.prototype.onExecuted = (output) => { window.greeted = output.greeting[0]; };
  },
});
"""
EMPTY_PLACE = (450, 600)
PREVIEW_WITH_METADATA = 4
STARTED_BEFORE = {"Comfy.TutorialCompleted": True, "Comfy.Queue.History.Expanded": False}


@pytest.fixture(scope="module")
def service(front_end: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that shows the app, with a pack that has a script for it."""
    folder = tmp_path_factory.mktemp("service")
    pack = folder / "packs" / "greeting"
    (pack / "web").mkdir(parents=True)
    (pack / "__init__.py").write_text(PACK)
    (pack / "web" / "greeting.js").write_text(SCRIPT)
    flags = ("--nodes", "tests.pack", "--preview-method", "auto")
    packs = ("--custom-nodes", str(pack.parent), "--front-end-root", str(front_end))
    started = start_service(folder / "home", *flags, *packs)
    yield started
    started.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def call(service: Service) -> AsyncIterator[Caller]:
    """Bare HTTP against the service, whose user has seen the app before."""
    async with aiohttp.ClientSession() as session:
        caller = Caller(service, session)
        await caller.post("/settings", STARTED_BEFORE)
        yield caller


@pytest_asyncio.fixture(loop_scope="module")
async def app(page: Page, call: Caller, tmp_path: Path) -> App:
    """The app, just started, with no panel left open by an earlier page."""
    await call.post("/settings", STARTED_BEFORE)
    app = App(page, call.url, tmp_path)
    await app.start()
    return app


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_app(
    shared_page: Page, call: Caller, tmp_path_factory: pytest.TempPathFactory
) -> App:
    """The app for tests that open a file of their own, run it, and open no panel."""
    app = App(shared_page, call.url, tmp_path_factory.mktemp("files"))
    await app.start()
    return app


@pytest.fixture
def used_app(shared_app: App) -> App:
    """The shared app, whose problems of earlier tests are forgotten."""
    shared_app.problems.clear()
    return shared_app


async def test_a_new_user_is_offered_our_templates(page: Page, front_end: Path, tmp_path: Path):
    started = start_service(tmp_path / "home", "--front-end-root", str(front_end))
    try:
        app = App(page, started.url, tmp_path)
        await app.start()
        offer = page.get_by_role("dialog").get_by_text("hello", exact=True)
        await offer.wait_for()
        picture = page.get_by_role("dialog").locator("img").first
        await expect(picture).to_have_js_property(
            "naturalWidth", 256, timeout=patience.MILLISECONDS
        )
        await offer.click()
        await app.tab("hello").wait_for()
        assert app.problems == []
    finally:
        started.stop()


async def test_a_workflow_runs_and_its_picture_is_shown(app: App, call: Caller):
    await app.load("drawing", workflow())
    async with app.page.expect_response("**/api/view?filename=drawn*") as shown:
        sent, status, answer = await app.run()
    assert status == 200
    assert (await shown.value).status == 200
    _, ours = await call.post("/workflow/convert", workflow())
    assert plain(sent) == plain(ours)
    await app.tagged("queue-overlay-toggle").click()
    await app.page.get_by_text("drawn_00001_.png").wait_for()
    await app.tagged("assets-tab-button").click()
    picture = app.page.locator("img[src*='drawn_00001_.png']").first
    await expect(picture).to_have_js_property("naturalWidth", 48, timeout=patience.MILLISECONDS)
    assert (await call.get(f"/history/{answer['prompt_id']}"))[1] != {}
    assert app.problems == []


async def test_a_running_job_is_shown_and_cancelled(used_app: App, call: Caller):
    await used_app.load("sleeping", slow(600))
    _, _, answer = await used_app.run()
    await used_app.page.get_by_text("1 active").wait_for()
    await used_app.page.get_by_label("Cancel current run").click()
    await used_app.page.get_by_text("0 active").wait_for()
    _, job = await call.get(f"/api/jobs/{answer['prompt_id']}")
    assert job["status"] == "cancelled"
    assert used_app.problems == []


async def test_a_subgraph_runs_and_is_read_as_the_app_does(used_app: App, call: Caller):
    await used_app.load("folded", flipped("blue", "folded"))
    await used_app.page.mouse.click(*EMPTY_PLACE)
    await used_app.page.keyboard.press("Control+a")
    await used_app.page.keyboard.press("Control+Shift+E")
    async with (
        used_app.page.expect_response("**/api/view?filename=folded*"),
        used_app.page.expect_request("**/api/prompt") as sending,
    ):
        await used_app.tagged("queue-button").click()
    sent = json.loads((await sending.value).post_data or "{}")
    assert sorted(sent["prompt"]) == ["4:1", "4:2", "4:3"]
    document = sent["extra_data"]["extra_pnginfo"]["workflow"]
    assert len(document["definitions"]["subgraphs"]) == 1
    _, ours = await call.post("/workflow/convert", document)
    assert plain(sent["prompt"]) == plain(ours)
    assert used_app.problems == []


async def test_previews_reach_the_app(app: App):
    await app.load("previewed", slow(1))
    async with app.page.expect_response("**/api/view?filename=slow_*"):
        await app.run()
    assert set(app.frames) == {PREVIEW_WITH_METADATA}


async def test_a_job_of_the_past_is_opened_and_forgotten(app: App, call: Caller):
    await app.page.set_viewport_size({"width": 1440, "height": 900})  # the list wants room
    await app.load("past", flipped("red", "past"))
    async with app.page.expect_response("**/api/view?filename=past_*"):
        await app.run()
    await app.tagged("queue-overlay-toggle").click()
    job = app.page.get_by_text("past_00001_.png").first
    await job.click(button="right")
    async with app.page.expect_response("**/api/jobs/*") as opened:
        await app.page.get_by_text("Open as workflow in new tab").click()
    assert (await opened.value).status == 200
    await app.page.get_by_label("More options", exact=True).click()
    await app.page.get_by_text("Clear job history").click()
    async with app.page.expect_response("**/api/history"):
        await app.page.get_by_role("dialog").get_by_role("button", name="Clear").last.click()
    await expect(job).to_have_count(0, timeout=patience.MILLISECONDS)
    assert await call.get("/history") == (200, {})
    assert app.problems == []


async def test_a_job_outlives_the_service_before_the_eyes_of_the_app(
    page: Page, front_end: Path, tmp_path: Path
):
    port = str(free_port())
    flags = ("--nodes", "tests.pack", "--front-end-root", str(front_end), "--port", port)
    started = start_service(tmp_path / "home", *flags)
    try:
        app = App(page, started.url, tmp_path)
        await app.start()
        await page.keyboard.press("Escape")
        await app.load("sleeping", slow(8))
        await app.run()
        await page.get_by_text("1 active").wait_for()
        started.stop()
        async with page.expect_response("**/api/view?filename=slow_*") as shown:
            started = start_service(tmp_path / "home", *flags)
        assert (await shown.value).status == 200
        await page.get_by_text("0 active").wait_for()
    finally:
        started.stop()


async def test_scripts_of_a_node_pack_run_in_the_app(used_app: App):
    await used_app.page.wait_for_function("() => window.greeting === 'Greet of greeting'")
    await used_app.load("greeted", {"1": {"class_type": "Greet", "inputs": {"name": "you"}}})
    _, status, _ = await used_app.run()
    assert status == 200
    await used_app.page.wait_for_function("() => window.greeted === 'hello, you'")
    assert used_app.problems == []


async def test_a_failure_is_shown_with_its_node(used_app: App):
    prompt = {
        "1": {"class_type": "Divide", "inputs": {"a": 1, "b": 0}},
        "2": node("Show", value=["1", 0]),
    }
    await used_app.load("failing", prompt)
    assert (await used_app.run())[1] == 200
    await used_app.page.get_by_text("Divide failed").wait_for()
    assert used_app.problems == []


async def test_a_refusal_is_shown_with_its_node(used_app: App):
    prompt = {"3": {"class_type": "SaveImage", "inputs": {"filename_prefix": "never"}}}
    await used_app.load("refused", prompt)
    _, status, answer = await used_app.run()
    assert status == 400
    assert list(answer["node_errors"]) == ["3"]
    await used_app.page.get_by_text("Save Image is missing a required input: images").wait_for()
    refused, *rest = used_app.problems
    assert refused == f"400 POST {used_app.url}/api/prompt"
    assert all(text.startswith("console: ") for text in rest)


async def test_its_panels_fill(app: App, service: Service):
    Image.new("RGB", (40, 30), "navy").save(service.home / "input" / "sea.png")
    await app.tagged("assets-tab-button").click()
    await app.page.get_by_text("Imported").click()
    await app.page.locator("img[src*='sea.png']").first.wait_for()
    await app.tagged("node-library-tab-button").click()
    await app.page.get_by_text("sampling", exact=True).wait_for()
    await app.tagged("model-library-tab-button").click()
    await app.page.get_by_text("checkpoints", exact=True).click()
    # Its name until the app has its metadata, which is soon.
    await app.page.get_by_text("Soundstage's demo model", exact=True).wait_for()
    async with app.page.expect_response("**/internal/logs/subscribe"):
        await app.page.get_by_label("Toggle Bottom Panel").click()
    await app.page.get_by_label("Settings (Ctrl + ,)").click()
    await app.page.get_by_role("dialog").get_by_text("Lite Graph").wait_for()
    assert [problem for problem in app.problems if not is_about_a_bare_model(problem)] == []


def is_about_a_bare_model(problem: str) -> bool:
    """That a model has no metadata and no picture is told by 404, as ComfyUI does."""
    return "/view_metadata/" in problem or "/models/preview/" in problem or "(Not Found)" in problem


async def test_a_workflow_is_kept_and_opened_again(app: App, service: Service):
    await app.load("mine", workflow())
    await app.page.keyboard.press("Control+s")
    await app.page.get_by_role("dialog").get_by_role("textbox").wait_for()
    async with app.page.expect_response("**/api/userdata/workflows%2Fmine.json*"):
        await app.page.keyboard.press("Enter")
    kept: dict[str, Any] = json.loads(
        (service.home / "user" / "default" / "workflows" / "mine.json").read_text()
    )
    assert len(kept["nodes"]) == len(workflow()["nodes"])
    await app.tagged("workflows-tab-button").click()
    await app.page.get_by_role("treeitem").get_by_text("mine", exact=True).wait_for()
    assert await app.page.get_by_role("treeitem").count() == 1
    assert app.problems == []
