"""ComfyUI's own app takes every node of ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page

from engine.authoring.registry import Registry
from tests import patience
from tests.clients.browser_app import App
from tests.conftest import Service, start_service

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


@pytest.fixture(scope="module")
def service(front_end: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that shows the app."""
    started = start_service(tmp_path_factory.mktemp("home"), "--front-end-root", str(front_end))
    yield started
    started.stop()


@pytest.fixture
async def app(page: Page, service: Service, tmp_path: Path) -> App:
    """The app, started."""
    page.set_default_timeout(patience.MILLISECONDS)
    app = App(page, service.url, tmp_path)
    await app.start()
    return app


async def test_it_takes_every_node_of_ours(app: App):
    types = [*Registry.installed().nodes]
    assert await app.page.evaluate(CREATE, types) == {}
    assert app.problems == []
