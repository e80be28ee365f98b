"""What a node warns of reaches the user with its result, and is no failure."""

from __future__ import annotations

from tests.run.conftest import Opener, n


async def test_a_warning_is_listed_in_the_output_of_its_node(local: Opener) -> None:
    bench = await local()
    prompt = {
        "1": n("Number", value=1, log=""),
        "2": n("Warn", value=["1", 0], message="the last 3 lines are missing"),
        "3": n("Show", value=["2", 0], log=""),
    }
    entry = await bench.run(prompt)
    assert entry.outcome.status == "success"
    assert entry.outcome.shown == {
        "2": {"warnings": ["the last 3 lines are missing"]},
        "3": {"text": ["1"]},
    }


async def test_a_warning_given_again_is_listed_once(local: Opener) -> None:
    bench = await local()
    prompt = {
        "1": n("Words", text="to be or"),
        "2": n("Warn", value=["1", 0], message="again"),
        "3": n("Show", value=["2", 0], log=""),
    }
    entry = await bench.run(prompt)
    assert entry.outcome.shown["2"] == {"warnings": ["again"]}


async def test_a_cached_result_warns_as_it_did_when_it_was_made(local: Opener) -> None:
    bench = await local()
    prompt = {
        "1": n("Number", value=7, log=""),
        "2": n("Warn", value=["1", 0], message="repaired"),
        "3": n("Show", value=["2", 0], log=""),
    }
    await bench.run(prompt)
    prompt["3"] = n("Show", value=["2", 0], log="another consumer")
    entry = await bench.run(prompt)
    assert "2" in entry.outcome.cached
    assert entry.outcome.shown["2"] == {"warnings": ["repaired"]}
