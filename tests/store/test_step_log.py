"""Step logs: what was answered comes back after a crash, whatever the crash cut."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.store import step_log
from engine.store.step_log import StepLog, StepLogs
from nodes import CODECS
from tests import patience

BY_NAME = {codec.type_name: codec for codec in CODECS}
TOTAL = 9


def logs_in(folder: Path, **options: Any) -> StepLogs:
    return StepLogs(folder, BY_NAME, interval=0.01, **options)


def opened(logs: StepLogs, key: str = "a") -> StepLog:
    log = logs.open(key)
    assert log is not None
    return log


def answered(log: StepLog) -> list[Any]:
    """What it has, as a node that begins anew asks for it."""
    found: list[Any] = []
    while (answer := log.replay(len(found), TOTAL)) is not None:
        found += answer
    return found


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + patience.SECONDS
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.steps"))


def left_by_a_crash(folder: Path, answers: list[Any], key: str = "a") -> Path:
    """The log of a call that gave these answers when its process ended."""
    logs = logs_in(folder)
    log = opened(logs, key)
    known = len(answered(log))
    for index, answer in enumerate(answers[known:], known):
        log.record(index, TOTAL, answer)
    logs.close()
    return log.path


def test_answers_come_back_to_the_bit_and_in_order(tmp_path: Path):
    answers = [torch.randn(2, 4, 8, 8, dtype=kind) for kind in (torch.float32, torch.float16)]
    left_by_a_crash(tmp_path, [*answers, (1, "text"), None])
    found = answered(opened(logs_in(tmp_path)))
    assert [answer.dtype for answer in found[:2]] == [torch.float32, torch.float16]
    assert all(map(torch.equal, found[:2], answers))
    assert found[2:] == [(1, "text"), None]


def test_a_call_that_goes_on_after_a_crash_may_crash_again(tmp_path: Path):
    for count in (3, 5, 5, 8):
        left_by_a_crash(tmp_path, [*range(count)])
    assert answered(opened(logs_in(tmp_path))) == [*range(8)]


@given(
    cut=st.integers(0, 600), flipped=st.none() | st.integers(0, 599), later=st.integers(0, TOTAL)
)
def test_a_damaged_log_gives_a_beginning_and_is_gone_on_with(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flipped: int | None, later: int
):
    folder = tmp_path_factory.mktemp("logs")
    answers = [bytes([index]) * 50 * index for index in range(TOTAL)]
    path = left_by_a_crash(folder, answers[:5])
    data = bytearray(path.read_bytes())
    if flipped is not None:
        data[flipped % len(data)] ^= 0xFF
    path.write_bytes(data[:cut])
    found = answered(opened(logs_in(folder)))
    assert found == answers[: len(found)]
    assert len(found) < 5 or (cut >= len(data) and flipped is None)
    left_by_a_crash(folder, answers[:later])
    assert answered(opened(logs_in(folder))) == answers[: max(later, len(found))]


def test_a_log_is_written_while_the_node_runs(tmp_path: Path):
    log = opened(logs_in(tmp_path))
    log.record(0, TOTAL, "first")
    until(lambda: bool(files(tmp_path)) and files(tmp_path)[0].stat().st_size > 0)
    assert answered(opened(logs_in(tmp_path))) == ["first"]


def test_a_log_goes_when_its_call_is_done(tmp_path: Path):
    path = left_by_a_crash(tmp_path, ["first"])
    log = opened(logs_in(tmp_path))
    assert answered(log) == ["first"]
    log.record(1, TOTAL, "second")
    log.close(keep=False)
    until(lambda: not path.exists())


def test_a_log_of_a_stopped_call_stays(tmp_path: Path):
    logs = logs_in(tmp_path)
    log = opened(logs)
    log.record(0, TOTAL, "first")
    log.close(keep=True)
    logs.close()
    assert answered(opened(logs_in(tmp_path))) == ["first"]


def test_a_call_may_follow_an_equal_one_at_once(tmp_path: Path):
    logs = logs_in(tmp_path)
    for _ in range(20):
        log = opened(logs)
        assert answered(log) == []
        log.record(0, TOTAL, "first")
        log.close(keep=False)
    log = opened(logs)
    log.record(0, TOTAL, "last")
    logs.close()
    assert answered(opened(logs_in(tmp_path))) == ["last"]


def test_of_equal_calls_at_once_only_one_is_logged(tmp_path: Path):
    logs = logs_in(tmp_path)
    log = opened(logs)
    assert logs.open("a") is None
    assert logs.open("b") is not None
    log.close(keep=False)
    assert logs.open("a") is not None


def test_other_steps_than_those_that_were_logged_are_asked_anew(tmp_path: Path):
    left_by_a_crash(tmp_path, ["first", "second"])
    log = opened(logs_in(tmp_path))
    assert log.replay(0, TOTAL) == ("first",)
    assert log.replay(1, TOTAL + 1) is None
    assert log.replay(1, TOTAL) is None
    log.record(1, TOTAL + 1, "another second")
    log.close(keep=True)
    log.finish()
    log = opened(logs_in(tmp_path))
    assert log.replay(0, TOTAL) == ("first",)
    assert log.replay(1, TOTAL + 1) == ("another second",)


def test_after_an_answer_that_cannot_be_stored_none_is(tmp_path: Path):
    left_by_a_crash(tmp_path, ["first", object(), "third"])
    assert answered(opened(logs_in(tmp_path))) == ["first"]


def test_an_answer_whose_codec_fails_harms_the_log_alone(tmp_path: Path):
    logs = logs_in(tmp_path)
    log = opened(logs)
    log.record(0, TOTAL, "first")
    log.record(1, TOTAL, torch.empty(2, device="meta"))
    log.record(2, TOTAL, "third")
    logs.close()
    assert answered(opened(logs_in(tmp_path))) == ["first"]


def test_a_log_stops_at_its_limit_and_keeps_the_beginning(tmp_path: Path):
    logs = logs_in(tmp_path, max_bytes=1000)
    log = opened(logs)
    for index in range(5):
        log.record(index, TOTAL, bytes(290))
    logs.close()
    assert len(answered(opened(logs_in(tmp_path)))) == 3
    assert log.path.stat().st_size <= 1000


def test_a_folder_that_takes_nothing_costs_nothing_but_the_log(tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    logs = logs_in(tmp_path / "file")
    log = opened(logs)
    log.record(0, TOTAL, "first")
    log.write()
    log.record(1, TOTAL, "second")
    log.close(keep=False)
    logs.close()


def test_a_log_that_nobody_came_back_for_goes_after_a_week(tmp_path: Path):
    old, new = (left_by_a_crash(tmp_path, ["first"], key) for key in "ab")
    week_ago = time.time() - step_log.MAX_AGE - 1
    os.utime(old, (week_ago, week_ago))
    logs_in(tmp_path)
    assert files(tmp_path) == [new]
