"""ComfyUI's own app takes every node of ours, and opens every template of its makers with them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page

from engine.authoring.registry import Registry
from engine.graph.workflow import is_workflow, to_prompt
from tests import patience
from tests.clients.browser_app import App
from tests.clients.drawings import plain, without_ids
from tests.conftest import Service, start_service
from tests.graph.test_workflow_corpus import templates
from tests.server.conftest import Caller

pytestmark = pytest.mark.asyncio(loop_scope="module")

Document = dict[str, Any]

CREATE = """(types) => Object.fromEntries(types.flatMap((type) => {
  try {
    const node = window.LiteGraph.createNode(type);
    window.app.graph.add(node);
    node.serialize();
    window.app.graph.remove(node);
    return [];
  } catch (error) {
    return [[type, String(error)]];
  }
}))"""
# How many nodes the app sees in a template, or its error; and the prompt that it would send.
OPEN = """async ([template, sends]) => {
  window.app.canvas.pause_rendering = true;
  try {
    await window.app.loadGraphData(template);
    const count = window.app.graph.nodes.length;
    return [count, sends ? (await window.app.graphToPrompt()).output : null];
  } catch (error) {
    return [String(error), null];
  }
}"""
PAGES = 2
SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.Workflow.ShowMissingNodesWarning": False,
    "Comfy.Workflow.ShowMissingModelsWarning": False,
}
# The app cannot copy what it has itself made of the curves in it: with any definition of the node.
CANNOT_BE_OPENED = {"basic_image_color_adjustment.json"}
OF_THE_APP_ALONE = ("compare_view",)  # a widget that holds what the app shows
# By the app, where a file is older than the input.
SENT_FOR_NOTHING = {"resolution_steps": 0, "sampling": "flow"}


@pytest.fixture(scope="module")
def service(front_end: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that shows the app."""
    started = start_service(tmp_path_factory.mktemp("home"), "--front-end-root", str(front_end))
    yield started
    started.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(shared_page: Page, service: Service, tmp_path_factory: pytest.TempPathFactory) -> App:
    """The app, started."""
    async with aiohttp.ClientSession() as session:
        await Caller(service, session).post("/settings", SETTINGS)
    return await started(shared_page, service, tmp_path_factory.mktemp("files"))


async def started(page: Page, service: Service, files: Path) -> App:
    page.set_default_timeout(patience.MILLISECONDS)
    app = App(page, service.url, files)
    await app.start()
    return app


async def test_it_takes_every_node_of_ours(app: App):
    types = [*Registry.installed().nodes]
    assert await app.page.evaluate(CREATE, types) == {}
    assert app.problems == []


def local_templates() -> dict[str, Document]:
    """By name those that need no other service and can be opened."""
    documents = {path.name: json.loads(path.read_bytes()) for path in templates()}
    return {
        name: document
        for name, document in documents.items()
        if not name.startswith("api_") and name not in CANNOT_BE_OPENED and is_workflow(document)
    }


def with_all_types(found: dict[str, Document]) -> dict[str, Document]:
    """Small ones, so many that every type of node of ours that is in any is in one of these."""
    known, seen = Registry.installed().nodes.keys(), set[str]()
    chosen: dict[str, Document] = {}
    for name, document in sorted(found.items(), key=lambda item: len(str(item[1]))):
        graphs = [document, *document.get("definitions", {}).get("subgraphs", [])]
        types = {node["type"] for graph in graphs for node in graph["nodes"]} & known
        if not types <= seen:
            seen |= types
            chosen[name] = document
    return chosen


@pytest.mark.parametrize(
    "choose", [with_all_types, pytest.param(dict, marks=pytest.mark.exhaustive)]
)
async def test_it_opens_templates_and_means_the_same_by_them(
    app: App,
    service: Service,
    tmp_path: Path,
    choose: Callable[[dict[str, Document]], dict[str, Document]],
):
    """Those of other services' nodes are left out. Most of the time is the app's own waiting."""
    left = choose(local_templates())
    if not left:
        pytest.skip("comfyui-workflow-templates-json is not installed")
    known = Registry.installed()
    pages = [await app.page.context.new_page() for _ in range(PAGES - 1)]
    apps = [app, *[await started(page, service, tmp_path) for page in pages]]
    wrong: dict[str, Any] = {}

    async def open_some(on: App) -> None:
        while left:
            name, template = left.popitem()
            found = await difference(on, template, known)
            if found is not None:
                wrong[name] = found

    await asyncio.gather(*map(open_some, apps))
    assert wrong == {}
    problems = [problem for app in apps for problem in app.problems]
    assert [problem for problem in problems if not is_about_a_missing_file(problem)] == []


async def difference(app: App, template: Document, known: Registry) -> Any:
    """What the app makes of a template that is not what it should be, None if all is well."""
    ours = to_prompt(template, known)
    sends = bool(ours) and all(known.get(entry["class_type"]) for entry in ours.values())
    count, theirs = await app.page.evaluate(OPEN, [template, sends])
    if count != len(template["nodes"]):
        return count
    if not sends:
        return None
    for entry in (*ours.values(), *theirs.values()):
        for name in OF_THE_APP_ALONE:
            entry["inputs"].pop(name, None)
        for name, value in SENT_FOR_NOTHING.items():
            if entry["inputs"].get(name) == value:
                del entry["inputs"][name]
    # The app numbers nodes anew whose id another graph of the file has too.
    same = without_ids(theirs) == without_ids(ours)
    return None if same else (plain(theirs), plain(ours))


def is_about_a_missing_file(problem: str) -> bool:
    """That a file which a template names is not in the input folder."""
    return "/api/view?" in problem or "Failed to load resource" in problem
