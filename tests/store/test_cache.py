"""The cache: budgets in memory and on disk, and damage that costs no more than the work again."""

from __future__ import annotations

import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from engine.authoring.protocols import File
from engine.store.cache_policy import CachePolicy
from engine.store.codecs import dumps
from tests.store.caching import BIG, QUICK, SLOW, Opener, files, put, result
from tests.store.test_codecs import Fraction


def test_a_result_is_found_by_its_key(cache: Opener):
    kept = cache()
    put(kept, "a", result(1), QUICK)
    assert kept.has("a")
    assert kept.get("a") == result(1)
    assert not kept.has("b")
    assert kept.get("b") is None


def test_what_was_slow_or_shown_outlives_the_process(cache: Opener, tmp_path: Path):
    first = cache()
    put(first, "slow", result(1), SLOW)
    put(first, "quick", result(2), QUICK)
    put(first, "shown", result(3, text=["x"]), QUICK)
    put(first, "saved", result(4, images=[File("a.png", "", "output")]), QUICK)
    put(first, "preview", result(5, images=[File("b.png", "", "temp")]), QUICK)
    put(first, "slow preview", result(6, images=[File("c.png", "", "temp")]), SLOW)
    put(first, "big", result(BIG), SLOW)
    again = cache()
    assert again.get("saved") == result(4, images=[File("a.png", "", "output")])
    assert again.get("preview") is None
    assert again.has("slow preview")
    assert again.get("slow") == result(1)
    assert again.get("quick") is None
    assert again.get("shown") == result(3, text=["x"])
    assert again.get("big") == result(BIG)
    assert files(tmp_path) == ["big"]


def test_what_has_no_codec_stays_in_memory(cache: Opener):
    handle = object()
    first = cache()
    put(first, "handle", result([handle]), SLOW)
    put(first, "fraction", result(Fraction(1, 3)), SLOW)
    found = first.get("handle")
    assert found is not None
    assert found.outputs[0][0][0] is handle
    again = cache()
    assert again.get("handle") is None
    assert again.get("fraction") == result(Fraction(1, 3))
    without = cache(codecs={})
    assert without.has("fraction")
    assert without.get("fraction") is None
    assert not without.has("fraction"), "dropped, as nobody can read it"


def test_memory_keeps_what_was_used_last_within_its_budget(cache: Opener):
    kept = cache(memory=5000)
    for key in "abc":
        put(kept, key, result(b"x" * 1000), QUICK)
    assert kept.get("a")
    put(kept, "d", result(b"x" * 1000), QUICK)
    assert [key for key in "abcd" if kept.has(key)] == ["a", "c", "d"]
    put(kept, "huge", result(b"x" * 6000), QUICK)
    assert [key for key in ("a", "c", "d", "huge") if kept.has(key)] == ["a", "c", "d"]
    put(kept, "a", result(b"x" * 6000), QUICK)
    assert [key for key in "acd" if kept.has(key)] == ["c", "d"], "the old value is gone too"
    kept.clear_memory()
    assert not kept.has("c")


def test_putting_again_does_not_count_twice(cache: Opener):
    kept = cache(memory=5000, disk=5000)
    for _ in range(20):
        put(kept, "a", result(b"x" * 3000), SLOW)
        put(kept, "b", result(b"y"), SLOW)
    assert kept.has("a")
    again = cache()
    assert again.has("a")
    assert again.has("b")


def test_disk_keeps_what_was_written_last_within_its_budget(cache: Opener, tmp_path: Path):
    kept = cache(memory=0, disk=300_000)
    for key in "abcdef":
        put(kept, key, result(BIG), SLOW)
    assert [key for key in "abcdef" if kept.has(key)] == ["c", "d", "e", "f"]
    assert files(tmp_path) == ["c", "d", "e", "f"]
    put(kept, "huge", result(b"x" * 300_001), SLOW)
    assert [key for key in "cdef" if kept.has(key)] == ["c", "d", "e", "f"]
    for i in range(20):
        put(kept, f"row {i:02}", result(b"x" * 20_000), SLOW)
    assert files(tmp_path) == []
    assert [i for i in range(20) if kept.has(f"row {i:02}")] == list(range(6, 20))


def test_disk_keeps_what_was_read_last(cache: Opener, tmp_path: Path):
    kept = cache(memory=0, disk=300_000)
    for key in "abcd":
        put(kept, key, result(BIG), SLOW)
    kept.connection.execute("UPDATE results SET used = used - 3600 * 1000000000")
    assert kept.get("a") == result(BIG)
    put(kept, "e", result(BIG), SLOW)
    assert [key for key in "abcde" if kept.has(key)] == ["a", "c", "d", "e"]


def test_a_budget_of_nothing_keeps_nothing(cache: Opener, tmp_path: Path):
    kept = cache(memory=0, disk=0)
    put(kept, "a", result(1), SLOW)
    assert kept.get("a") is None
    assert files(tmp_path) == []


def test_a_smaller_budget_holds_after_a_restart(cache: Opener, tmp_path: Path):
    kept = cache(disk=10**6)
    for key in "abcd":
        put(kept, key, result(BIG), SLOW)
    again = cache(disk=150_000)
    put(again, "e", result(BIG), SLOW)
    assert files(tmp_path) == ["d", "e"]


def test_forgetting_and_clearing(cache: Opener, tmp_path: Path):
    kept = cache()
    for key in "abc":
        put(kept, key, result(BIG), SLOW)
    kept.discard("a")
    kept.discard("never there")
    assert [key for key in "abc" if kept.has(key)] == ["b", "c"]
    kept.clear_memory()
    assert kept.get("b") == result(BIG)
    kept.clear()
    assert [key for key in "abc" if kept.has(key)] == []
    assert files(tmp_path) == []


DAMAGE: dict[str, bytes] = {
    "empty": b"",
    "noise": b"\xc1\xc1\xc1",
    "truncated": BIG[:100],
    "a number": b"\x01",
    "another shape": b"\x92\xa4list\x91\x92\xa5plain\x01",
    "a file of too few parts": b"\x92\xa5tuple\x92\x92\xa4file\x90\x92\xa5plain\xc0",
    "a codec's own": b"\x92\xa5tuple\x92\x92\xb2fractions.Fraction\xc4\x01x\x92\xa5plain\xc0",
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("value", [b"small", BIG])
def test_a_damaged_result_is_dropped(
    cache: Opener, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str, value: bytes
):
    put(cache(), "a", result(value), SLOW)
    if value == BIG:
        (tmp_path / "cache" / "a").write_bytes(DAMAGE[damage])
    else:
        with sqlite3.connect(tmp_path / "cache.db") as connection:
            connection.execute("UPDATE results SET body=?", (DAMAGE[damage],))
        connection.close()
    again = cache()
    with caplog.at_level(logging.WARNING):
        assert again.get("a") is None
    assert "a cached result is dropped" in caplog.text
    assert not again.has("a")
    put(again, "a", result(value), SLOW)
    assert cache().get("a") == result(value)


def test_a_result_whose_file_is_gone_is_dropped(cache: Opener, tmp_path: Path):
    put(cache(), "a", result(BIG), SLOW)
    (tmp_path / "cache" / "a").unlink()
    again = cache()
    assert again.get("a") is None
    assert not again.has("a")


def test_what_a_crash_left_behind_is_swept_up(cache: Opener, tmp_path: Path):
    put(cache(), "a", result(BIG), SLOW)
    (tmp_path / "cache" / "b.part").write_bytes(BIG[:1000])
    (tmp_path / "cache" / "c").write_bytes(BIG)
    again = cache()
    assert files(tmp_path) == ["a"]
    assert again.get("a") == result(BIG)
    assert not again.has("c")


def test_a_result_that_cannot_be_written_stays_in_memory(
    cache: Opener, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    class Faulty:
        type_name = "fractions.Fraction"

        def dump(self, value: Any) -> bytes:
            raise RuntimeError("the codec is broken")

        def load(self, data: bytes) -> Any:
            raise NotImplementedError

    kept = cache(codecs={"fractions.Fraction": Faulty()})
    (tmp_path / "cache" / "big").mkdir()
    with caplog.at_level(logging.ERROR):
        put(kept, "a", result(Fraction(1, 3)), SLOW)
        put(kept, "big", result(BIG), SLOW)
    assert "the codec is broken" in caplog.text
    assert "Is a directory" in caplog.text
    assert kept.get("a") == result(Fraction(1, 3))
    assert kept.get("big") == result(BIG)
    kept.clear_memory()
    assert kept.get("a") is None
    assert files(tmp_path) == ["big"], "no part is left"
    assert cache().get("big") is None


@pytest.mark.parametrize("content", [b"this is no database" * 1000, b"\0" * 5000])
def test_a_file_that_is_no_database_is_made_anew(
    cache: Opener, tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
):
    put(cache(), "big", result(BIG), SLOW)
    kept = cache()
    kept.close()
    (tmp_path / "cache.db").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        again = cache()
    assert "is replaced by an empty one" in caplog.text
    assert not again.has("big")
    assert files(tmp_path) == [], "its files went with it"
    put(again, "a", result(1), SLOW)
    assert cache().get("a") == result(1)


def test_a_file_of_an_older_version_is_read_and_written(cache: Opener, tmp_path: Path):
    with sqlite3.connect(tmp_path / "cache.db") as old:
        old.execute(
            "CREATE TABLE results (key TEXT PRIMARY KEY, nbytes INTEGER NOT NULL, "
            "used INTEGER NOT NULL, body BLOB) WITHOUT ROWID"
        )
        data = dumps((result(1).outputs, {"text": ["x"]}), {})
        old.execute("INSERT INTO results VALUES ('old', ?, 0, ?)", (len(data), data))
    old.close()
    first = cache()
    assert first.get("old") == result(1, text=["x"])
    assert not first.has_nested_shown("old")
    put(first, "new", replace(result(2), nested_shown={".a": {"text": ["y"]}}), QUICK)
    again = cache()
    assert again.has_nested_shown("new")
    assert not again.has_nested_shown("old")
    assert again.get("new") == replace(result(2), nested_shown={".a": {"text": ["y"]}})
    assert again.get("old") == result(1, text=["x"])


def test_threads_put_and_get_side_by_side(cache: Opener, tmp_path: Path):
    kept = cache(memory=200_000, disk=500_000)

    def work(thread: int) -> bool:
        whole = True
        for turn in range(40):
            key = f"key {(thread + turn) % 9}"
            put(kept, key, result([key, BIG]), SLOW)
            found = kept.get(key)
            whole &= found is None or found == result([key, BIG])
        return whole

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))
    rows = kept.connection.execute("SELECT key, nbytes FROM results").fetchall()
    assert files(tmp_path) == sorted(key for key, _ in rows)
    assert sum(nbytes for _, nbytes in rows) <= 500_000


def test_the_most_results_are_kept_that_were_used_last(cache: Opener):
    kept = cache(keeping=CachePolicy(max_results=2))
    for key in "abc":
        put(kept, key, result(key), SLOW)
    assert [kept.has(key) for key in "abc"] == [False, True, True]
    assert kept.get("b") is not None
    put(kept, "d", result(1), QUICK)
    assert [kept.has(key) for key in "bcd"] == [True, False, True], "neither here nor on disk"
    kept.clear_memory()
    assert [kept.has(key) for key in "bcd"] == [True, False, False]


def test_what_is_written_late_is_not_among_the_most_used_last(cache: Opener):
    kept = cache(keeping=CachePolicy(max_results=2))
    for key in "abc":
        kept.put(key, result(key))
    for key in "ca":
        kept.save(key, result(key))
    kept.clear_memory()
    assert [kept.has(key) for key in "ac"] == [False, True]


def test_the_most_may_be_none(cache: Opener, tmp_path: Path):
    put(cache(), "a", result(1, text=["x"]), SLOW)
    kept = cache(keeping=CachePolicy(max_results=0))
    assert not kept.has("a")
    put(kept, "b", result(BIG, text=["x"]), SLOW)
    assert kept.get("b") is None
    assert files(tmp_path) == []


def test_only_what_the_latest_jobs_need_is_kept(cache: Opener):
    kept = cache(keeping=CachePolicy(latest_jobs_only=True))
    kept.begin_job("first", ["a", "b"])
    for key in "ab":
        put(kept, key, result(key), SLOW)
    kept.end_job("first")
    assert kept.has("a"), "until the next job begins"
    kept.begin_job("second", ["b", "c"])
    assert [kept.has(key) for key in "ab"] == [False, True]
    put(kept, "c", result("c"), QUICK)
    kept.begin_job("third", ["d"])
    assert [kept.has(key) for key in "bc"] == [True, True], "the second one runs still"
    kept.end_job("second")
    kept.begin_job("fourth", ["d"])
    assert [kept.has(key) for key in "bc"] == [False, False]


def test_what_the_latest_jobs_expanded_into_is_kept_with_it(cache: Opener):
    kept = cache(keeping=CachePolicy(latest_jobs_only=True))
    kept.begin_job("first", ["parent"])
    kept.add_expansion("first", "parent", ["child"])
    kept.add_expansion("first", "child", ["grandchild"])
    for key in ("child", "grandchild"):
        put(kept, key, result(key), SLOW)
    kept.end_job("first")
    kept.begin_job("second", ["parent"])
    assert kept.has("grandchild")
    kept.end_job("second")
    kept.begin_job("third", ["other"])
    assert not kept.has("child")
