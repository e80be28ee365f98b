"""Other people's clients, as `make clients` installed them; without one its tests are skipped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests import patience
from tests.conftest import CHECKOUT, Service
from tests.server.conftest import call as call

CLIENTS = CHECKOUT / "build" / "clients"
# A core draws what no window shows: small, and without the motion that users can switch off, a
# start of the app takes half of the time.
WINDOW: dict[str, Any] = {
    "viewport": {"width": 1024, "height": 640},
    "reduced_motion": "reduce",
}
NO_TRACKING = "[DEFAULT]\nenable_tracking = False\n"

Document = dict[str, Any]


@dataclass
class Said:
    """What comfy-cli answered: its last line, and the events before it."""

    code: int
    ok: bool
    data: Any
    error: Any
    events: list[Document]


@dataclass
class Comfy:
    """`comfy` of comfy-cli, speaking to one service, with a home of its own."""

    program: Path
    url: str
    home: Path

    def __call__(self, *arguments: str | Path) -> Said:
        """Run a command of it to its end."""
        done = subprocess.run(
            [self.program, "--skip-prompt", "--json-stream", "--where", "local", *arguments],
            cwd=self.home,
            env={
                "HOME": str(self.home),
                "PATH": os.environ["PATH"],
                "COMFY_LOCAL_URL": self.url,
                "COMFY_CLI_NO_REMOTE_REFRESH": "1",
                "COMFY_NO_WATCH": "1",
            },
            capture_output=True,
            text=True,
            timeout=patience.SECONDS,
        )
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        assert lines, done.stderr
        *events, last = lines
        return Said(done.returncode, last["ok"], last["data"], last["error"], events)


NodeTask = Callable[..., Any]


@pytest.fixture(scope="module")
def comfy(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Comfy:
    """comfy-cli for the module's service."""
    program = CLIENTS / "comfy-cli" / "bin" / "comfy"
    if not program.exists():
        pytest.skip("comfy-cli is not installed; make clients")
    home = tmp_path_factory.mktemp("comfy")
    (home / ".config" / "comfy-cli").mkdir(parents=True)
    (home / ".config" / "comfy-cli" / "config.ini").write_text(NO_TRACKING)
    return Comfy(program, service.url, home)


@pytest.fixture(scope="module")
def stable_canvas(service: Service, tmp_path_factory: pytest.TempPathFactory) -> NodeTask:
    """Tasks of stable_canvas.mjs for the module's service: ``stable_canvas("picture", prompt)``."""
    folder, node = CLIENTS / "stable-canvas", shutil.which("node")
    if node is None or not folder.is_dir():
        pytest.skip("@stable-canvas/comfyui-client is not installed; it needs Node: make clients")
    script = Path(__file__).with_name("stable_canvas.mjs")
    kept = tmp_path_factory.mktemp("prompts") / "prompt.json"

    def run(task: str, argument: Document | Path | None = None) -> Any:
        if isinstance(argument, dict):
            kept.write_text(json.dumps(argument))
            argument = kept
        done = subprocess.run(
            [node, script, folder, service.url, task, *([argument] if argument else [])],
            capture_output=True,
            text=True,
            timeout=patience.SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.fixture(scope="session")
def front_end() -> Path:
    """The folder of ComfyUI's browser app."""
    folder = CLIENTS / "front-end" / "comfyui_frontend_package" / "static"
    if not folder.is_dir():
        pytest.skip("comfyui-frontend-package is not installed; make clients")
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def connected(chromium: str) -> AsyncIterator[Browser]:
    """The browser, for the module's tests, which share an event loop."""
    async with async_playwright() as playwright:
        yield await playwright.chromium.connect_over_cdp(chromium)


async def new_page(connected: Browser) -> Page:
    """A page that shares nothing with others."""
    context = await connected.new_context(**WINDOW)
    page = await context.new_page()
    page.set_default_timeout(patience.MILLISECONDS)
    return page


@pytest_asyncio.fixture(loop_scope="module")
async def page(connected: Browser) -> AsyncIterator[Page]:
    """A page for one test."""
    page = await new_page(connected)
    yield page
    await page.context.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_page(connected: Browser) -> AsyncIterator[Page]:
    """A page for all tests of the module that leave it as they found it."""
    page = await new_page(connected)
    yield page
    await page.context.close()
