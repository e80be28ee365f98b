"""Values that no wire can carry: the job ends all the same, and says what it can."""

from __future__ import annotations

from typing import Any

import pytest

from tests.run.conftest import Opener, n, value_shown

HUGE = 10**30


@pytest.mark.parametrize("value", [HUGE, -(2**64), 1e308, {"__value__": [HUGE]}])
async def test_a_failure_beside_a_huge_number_is_told(process: Opener, value: Any):
    bench = await process()
    entry = await bench.run(value_shown(n("Fail", value=value, text="as asked")))
    assert entry.outcome.status == "error"
    assert entry.outcome.failure is not None
    assert entry.outcome.failure.message == "as asked"


async def test_an_error_that_is_no_text_is_told(process: Opener):
    """A file name need not be Unicode; the error that quotes it is not either."""
    bench = await process()
    entry = await bench.run(value_shown(n("OddFail", value=1)))
    assert entry.outcome.failure is not None
    assert "half a character" in entry.outcome.failure.message


@pytest.mark.parametrize("kind", ["huge number", "no text", "object", "huge key"])
async def test_what_cannot_be_shown_is_an_error_that_says_so(process: Opener, kind: str):
    bench = await process()
    entry = await bench.run({"1": n("OddShow", kind=kind)})
    assert entry.outcome.status == "error"
    assert entry.outcome.failure is not None
    assert entry.outcome.failure.node_type == "OddShow"
    assert "shows something that cannot be sent" in entry.outcome.failure.message
    after = await bench.run({"1": n("Show", value=3, log="")})
    assert after.outcome.status == "success"


@pytest.mark.parametrize("half", [True, False])
async def test_progress_that_cannot_be_told_is_no_failure(process: Opener, half: bool):
    bench = await process()
    entry = await bench.run(value_shown(n("OddSteps", value=5, half=half)))
    assert entry.outcome.status == "success", "what was lost is in the log"
