"""Engines that know the V1 packs of the tests."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from engine.authoring.registry import Registry
from engine.compat.packs import Packs, load
from engine.run.engine import Engine
from engine.run.local import LocalWorker
from engine.run.remote_nodes import CustomNodePacks, RemoteCustomNodes
from engine.store.cache_policy import CachePolicy
from engine.store.folders import Folders
from tests import patience
from tests.conftest import CHECKOUT
from tests.run.conftest import Bench, Opener

PACKS = CHECKOUT / "tests" / "pack_v1"
LOADER = "engine.compat.packs:load"
STAND_INS = (
    *("comfy", "comfy_api", "comfy_execution", "custom_nodes"),
    *("folder_paths", "node_helpers", "server"),
)


def loaded(home: Path, packs: Path = PACKS) -> tuple[Packs, Registry, Folders]:
    """The packs of a folder, imported into this process."""
    registry = Registry.installed()
    folders = Folders(home, registry.bundled)
    folders.create()
    return load([packs], registry, folders), registry, folders


def patient(engine: Engine) -> None:
    """Let its packs load as slowly as a busy machine makes them."""
    remote = engine.registry.custom_nodes
    assert isinstance(remote, RemoteCustomNodes)
    remote.timeout = patience.SECONDS


@pytest.fixture(scope="module")
def _clean() -> Iterator[None]:
    """Takes the stand-in modules away again."""
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in STAND_INS]:
        del sys.modules[name]


@pytest.fixture
def keeping() -> CachePolicy:
    """Which results the workers keep."""
    return CachePolicy()


@pytest.fixture
async def local(tmp_path: Path, _clean: None, keeping: CachePolicy) -> AsyncGenerator[Opener]:
    """Opens engines whose worker is in this process, packs and all."""
    benches: list[Bench] = []

    async def open(home: Path | None = None) -> Bench:
        home = home or tmp_path / "home"
        _, registry, folders = loaded(home)
        worker = LocalWorker(registry, folders, cache_policy=keeping)
        benches.append(Bench(await Engine.open(home, registry=registry, worker=worker)))
        return benches[-1]

    yield open
    for bench in benches:
        await bench.engine.close()


@pytest.fixture
async def process(tmp_path: Path) -> AsyncGenerator[Opener]:
    """Opens engines whose worker is a process of its own."""
    benches: list[Bench] = []

    async def open(home: Path | None = None, packs: Path = PACKS) -> Bench:
        engine = await Engine.open(
            home or tmp_path / "home",
            custom_nodes=CustomNodePacks(LOADER, [str(packs)]),
            preload=False,
        )
        patient(engine)
        benches.append(Bench(engine))
        return benches[-1]

    yield open
    for bench in benches:
        await bench.engine.close()
