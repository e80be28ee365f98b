"""What tests share: a home with real models, the service as a process, a browser."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from hypothesis import HealthCheck, settings
from playwright.async_api import Page, async_playwright

from engine.cli.precision import VARIABLE as PRECISION
from engine.models.pull import PullError, pull
from tests import browser, patience

settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")  # a busy machine is no failure

# Numbers are compared with those of float32, also on CPUs that are fast in halves.
os.environ.setdefault(PRECISION, "fp32")

CHECKOUT = Path(__file__).parent.parent
# Begun first, the longest first, so that no process works on one of them when all others are done.
SLOW_MODULES = (
    "tests/models/test_reference_weights.py",
    "tests/clients/test_front_end.py",
    "tests/speech/test_transcribed.py",
    "tests/server/test_kills.py",
    "tests/web/test_access.py",
    "tests/web/test_runs.py",
    "tests/web/test_form.py",
    "tests/clients/test_comfy_cli.py",
    "tests/clients/test_front_end_nodes.py",
    "tests/web/test_results.py",
    "tests/speech/test_kokoro.py",
    "tests/web/test_by_hand.py",
    "tests/models/test_demo_model.py",
    "tests/web/test_canvas.py",
    "tests/web/test_prompts.py",
    "tests/web/test_service_away.py",
    "tests/compat/test_flow.py",
    "tests/web/test_trust.py",
    "tests/server/test_any_graph.py",
    "tests/web/test_adding.py",
    "tests/web/test_editing.py",
    "tests/web/test_queue.py",
)
READY = "Soundstage listens on "


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow modules first, all others in their order."""
    order = {module: place for place, module in enumerate(SLOW_MODULES)}
    items.sort(key=lambda item: order.get(item.location[0], len(order)))


@dataclass
class Service:
    """A `soundstage serve` process of its own."""

    url: str
    home: Path
    process: subprocess.Popen[str]

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        with self.process:
            try:
                self.process.terminate()
                return self.process.wait(patience.SECONDS)
            finally:
                self.process.kill()


ServerFactory = Callable[..., Service]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference data and specifications, where this machine has them."""
    folder = Path(os.environ.get("SOUNDSTAGE_REFERENCE", CHECKOUT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder}; SOUNDSTAGE_REFERENCE names the folder")
    return folder


@pytest.fixture(scope="session")
def models_home() -> Path:
    """A models folder with the default voice in it."""
    home = Path(os.environ.get("SOUNDSTAGE_HOME", CHECKOUT / "home"))
    try:
        pull("kokoro", home / "models", lambda file, done, total: None)
    except PullError as error:
        pytest.skip(f"no voice: {error}")
    return home / "models"


def free_port() -> int:
    """A port for a service that starts again: none that a connection may take in between."""
    while True:
        port = random.randrange(20_000, 30_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def start_service(home: Path, *flags: str) -> Service:
    """Start `soundstage serve` on a free port and wait until it listens.

    Most tests draw nothing; the worker's slow imports would cost them seconds of a core each.
    """
    command = [sys.executable, "-m", "engine.cli", "serve", "--home", str(home), "--port", "0"]
    process = subprocess.Popen(
        [*command, "--no-preload", *flags],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith(READY):
        process.kill()
        raise AssertionError(f"the service said {line!r} and exited with {process.wait()}")
    return Service(line.removeprefix(READY).split()[0], home, process)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerFactory]:
    """Starts services: ``server("--nodes", "tests.pack")``; all are stopped at the end."""
    started: list[Service] = []

    def start(*flags: str, home: Path | None = None) -> Service:
        service = start_service(home or tmp_path / "home", *flags)
        started.append(service)
        return service

    yield start
    for service in started:
        service.stop()


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service with the test nodes for all modules that do not need one of their own."""
    started = start_service(tmp_path_factory.mktemp("home"), "--nodes", "tests.pack")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def service(shared_service: Service) -> Service:
    """The shared service, with no jobs: none runs, waits or is remembered.

    Files, settings and workflows of other modules may lie in its home.
    """
    queue = f"{shared_service.url}/queue"
    requests.post(queue, json={"clear": True}, timeout=patience.SECONDS)
    while any((at_work := requests.get(queue, timeout=patience.SECONDS).json()).values()):
        for job in at_work["queue_running"]:
            interrupt = f"{shared_service.url}/interrupt"
            requests.post(interrupt, json={"prompt_id": job[1]}, timeout=patience.SECONDS)
        time.sleep(0.02)
    history = f"{shared_service.url}/history"
    requests.post(history, json={"clear": True}, timeout=patience.SECONDS)
    return shared_service


@pytest.fixture(scope="module")
def own_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A fresh service with the test nodes for the tests of one module."""
    started = start_service(tmp_path_factory.mktemp("home"), "--nodes", "tests.pack")
    yield started
    started.stop()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Chromium without a window, one for all tests."""
    program = browser.find()
    if program is None:
        pytest.skip("no Chromium on this machine; on Debian: apt install chromium-headless-shell")
    with browser.running(program, tmp_path_factory.mktemp("chromium")) as address:
        yield address


@pytest.fixture
async def page(chromium: str) -> AsyncIterator[Page]:
    """A page that shares nothing with those of other tests."""
    async with async_playwright() as playwright:
        connected = await playwright.chromium.connect_over_cdp(chromium)
        context = await connected.new_context(viewport={"width": 1440, "height": 900})
        yield await context.new_page()
        await context.close()
