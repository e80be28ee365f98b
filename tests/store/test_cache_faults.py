"""The cache on a disk that fails: a failure is a miss, and nobody waits for a slow read."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests import patience
from tests.store.caching import SLOW, Opener, put, result
from tests.store.test_codecs import Fraction


def test_a_cache_that_cannot_be_opened_is_not_thrown_away_and_keeps_results_in_memory(
    cache: Opener, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "cache.db").mkdir()
    kept = cache()
    assert "kept in memory only" in caplog.text
    put(kept, "a", result(1), SLOW)
    assert kept.get("a") == result(1)
    kept.clear_memory()
    assert kept.get("a") is None
    assert (tmp_path / "cache.db").is_dir()


def test_a_disk_that_takes_nothing_raises_nothing_and_loses_no_result(
    cache: Opener, caplog: pytest.LogCaptureFixture
):
    put(cache(), "a", result(1), SLOW)
    kept = cache()
    kept.connection.execute("UPDATE results SET used=0")
    kept.connection.execute("PRAGMA query_only=ON")
    assert kept.get("a") == result(1), "its time of use is not written"
    put(kept, "b", result(2), SLOW)
    assert kept.get("b") == result(2)
    assert "cannot be written" in caplog.text
    kept.discard("a")
    assert kept.get("a") is None
    kept.clear()
    kept.connection.execute("PRAGMA query_only=OFF")
    put(kept, "a", result(3), SLOW)
    kept.clear_memory()
    assert kept.get("a") == result(3), "its row was not deleted, and is replaced"


def test_rows_that_cannot_be_read_are_misses(cache: Opener, tmp_path: Path):
    kept = cache()
    put(kept, "a", result(1), SLOW)
    kept.clear_memory()
    kept.connection.execute("DROP TABLE results")
    assert kept.get("a") is None
    put(kept, "a", result(2), SLOW)
    assert kept.get("a") == result(2)


def test_a_result_that_is_slow_to_read_keeps_no_other_waiting(cache: Opener):
    reading, go_on = threading.Event(), threading.Event()

    class Slow:
        type_name = "fractions.Fraction"

        def dump(self, value: Any) -> bytes:
            return b"1"

        def load(self, data: bytes) -> Any:
            reading.set()
            assert go_on.wait(patience.SECONDS)
            return Fraction(1, 3)

    kept = cache(codecs={"fractions.Fraction": Slow()})
    put(kept, "a", result(Fraction(1, 3)), SLOW)
    kept.clear_memory()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(kept.get, "a")
        assert reading.wait(patience.SECONDS)
        put(kept, "b", result(2), SLOW)
        assert kept.get("b") == result(2)
        assert not slow.done()
        go_on.set()
        assert slow.result() == result(Fraction(1, 3))
