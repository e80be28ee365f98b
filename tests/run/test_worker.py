"""What a worker does before its first job."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from engine.authoring.backend import CpuBackend
from engine.run.frames import LogLine, encode_frame
from engine.run.local import LocalWorker
from engine.run.log_forwarding import LogForwarder
from engine.store.folders import Folders
from tests import patience
from tests.run.conftest import registry

WARMED = threading.Event()


class Slow(CpuBackend):
    """A backend whose slow imports can be seen."""

    def warm(self) -> None:
        WARMED.set()


class Broken(CpuBackend):
    """A backend whose slow imports fail."""

    def warm(self) -> None:
        raise ImportError("no such library")


class Absent(CpuBackend):
    """A backend that cannot be made."""

    def __init__(self) -> None:
        raise OSError("no driver")


def worker(home: Path, backend: type[CpuBackend], *, preload: bool = True) -> LocalWorker:
    nodes = registry()
    nodes.backends.append(f"{backend.__module__}:{backend.__qualname__}")
    folders = Folders(home)
    folders.create()
    return LocalWorker(nodes, folders, preload=preload)


async def test_slow_imports_begin_before_the_first_job(tmp_path: Path):
    made = worker(tmp_path, Slow)
    await made.start()
    await made.free(unload_models=True, free_memory=True)
    assert WARMED.wait(patience.SECONDS)
    await made.close()


async def test_slow_imports_wait_for_a_job_where_that_is_wished(tmp_path: Path):
    made = worker(tmp_path, Broken, preload=False)
    await made.start()
    await made.free(unload_models=True, free_memory=True)
    await made.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "preload"]


async def test_slow_imports_that_fail_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    made = worker(tmp_path, Broken)
    with caplog.at_level(logging.ERROR):
        await made.start()
        await made.free(unload_models=True, free_memory=True)
        await made.close()
    assert "no such library" in caplog.text


async def test_a_backend_that_cannot_be_made_is_told_and_the_cpu_works(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    made = worker(tmp_path, Absent)
    with caplog.at_level(logging.ERROR):
        await made.start()
        await made.free(unload_models=True, free_memory=True)
    facts = await made.facts()
    assert [device["name"] for device in facts["devices"]] == ["cpu"]
    assert facts["failures"] == {"tests.run.test_worker:Absent": "OSError: no driver"}
    await made.close()


async def test_a_damaged_cache_costs_its_results_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "cache.db").write_bytes(b"power was cut" * 1000)
    made = worker(tmp_path, CpuBackend)
    with caplog.at_level(logging.WARNING):
        await made.start()
        await made.free(unload_models=False, free_memory=True)
    assert "is replaced by an empty one" in caplog.text
    await made.close()


def test_a_line_of_the_log_that_names_a_strange_file_can_be_sent():
    sent: list[LogLine] = []
    facts = {"msg": "cannot read %s", "args": ("caf\udce9.png",)}
    LogForwarder(sent.append).emit(logging.makeLogRecord(facts))
    assert [line.text for line in sent] == ["cannot read caf?.png"]
    assert encode_frame(sent[0])
