"""A job that takes the whole service down, and a service that is killed or stopped beside jobs."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from tests import patience
from tests.conftest import ServerFactory, Service
from tests.server.conftest import chain, node

PACK = ("--nodes", "tests.pack")


def post(service: Service, prompt: dict[str, Any], **more: Any) -> str:
    answer = requests.post(
        f"{service.url}/prompt", json={"prompt": prompt, **more}, timeout=patience.SECONDS
    )
    return answer.json()["prompt_id"]


def ended(service: Service, id: str) -> dict[str, Any]:
    """Wait for the end of a job; its entry of the history."""
    until = time.monotonic() + patience.SECONDS
    while time.monotonic() < until:
        found = requests.get(f"{service.url}/history/{id}", timeout=patience.SECONDS).json()
        if id in found:
            return found[id]
        time.sleep(0.02)
    raise TimeoutError(f"job {id} has no end")


def messages(entry: dict[str, Any]) -> dict[str, Any]:
    return dict(entry["status"]["messages"])


def test_a_job_that_takes_the_service_down_twice_is_failed_and_the_next_one_runs(
    server: ServerFactory, tmp_path: Path
):
    marker = tmp_path / "marker"
    service = server(*PACK)
    deadly = post(service, chain(node("KillsService", value=["1", 0], marker=str(marker))))
    service.process.wait(patience.SECONDS)
    service = server(*PACK, home=service.home)
    service.process.wait(patience.SECONDS)
    service = server(*PACK, home=service.home)
    next_one = post(service, chain())
    assert ended(service, next_one)["status"]["status_str"] == "success"
    entry = ended(service, deadly)
    assert entry["status"]["status_str"] == "error"
    assert "died 2 times while it ran" in messages(entry)["execution_error"]["exception_message"]
    assert marker.read_text().splitlines() == ["killed", "killed"]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="the system cannot kill it")
def test_a_worker_that_hears_nothing_does_not_outlive_its_service(
    server: ServerFactory, tmp_path: Path
):
    log = tmp_path / "log"
    service = server(*PACK)
    hung = {"how": "call", "marker": "/nowhere", "log": str(log)}
    post(service, chain(node("Hangs", value=["1", 0], **hung)))
    until = time.monotonic() + patience.SECONDS
    while not log.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    stats = requests.get(f"{service.url}/system_stats", timeout=patience.SECONDS).json()
    assert is_alive(stats["worker"]["pid"])
    service.process.kill()
    service.process.wait(patience.SECONDS)
    while is_alive(stats["worker"]["pid"]):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_service_that_is_stopped_in_good_order_blames_no_job(
    server: ServerFactory, tmp_path: Path
):
    marker = tmp_path / "marker"
    service = server(*PACK)
    id = post(service, chain(node("Held", value=1, until=str(marker))))
    for _ in range(3):
        until = time.monotonic() + patience.SECONDS
        while requests.get(f"{service.url}/system_stats").json()["worker"]["state"] != "ready":
            assert time.monotonic() < until
            time.sleep(0.02)
        service.stop()
        service = server(*PACK, home=service.home)
    marker.touch()
    assert ended(service, id)["status"]["status_str"] == "success"


def test_a_service_that_is_killed_before_its_worker_is_ready_blames_no_job(
    server: ServerFactory,
):
    service = server(*PACK)
    service.process.kill()
    service.process.wait(patience.SECONDS)
    service = server(*PACK, home=service.home)
    id = post(service, chain())
    for _ in range(3):
        service.process.kill()
        service.process.wait(patience.SECONDS)
        service = server(*PACK, home=service.home)
    assert ended(service, id)["status"]["status_str"] == "success"
