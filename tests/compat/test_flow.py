"""V1 nodes that choose, list, expand, block and wait, whatever results are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.run.events import NodeFailed
from engine.store.cache_policy import CachePolicy
from tests.compat.test_values import shown, shown_by
from tests.run.conftest import Opener, n


@pytest.fixture(params=["all that fits", "of the latest jobs", "a hundred", "none"])
def keeping(request: pytest.FixtureRequest) -> CachePolicy:
    limits = {"a hundred": 100, "none": 0}
    return CachePolicy(
        latest_jobs_only=request.param == "of the latest jobs",
        max_results=limits.get(request.param),
    )


async def test_an_output_node_may_give_its_value_on(local: Opener):
    bench = await local()
    prompt = {
        "1": n("V1Number", value=3),
        "2": n("V1ShowAndPass", value=["1", 0]),
        "out": n("V1Show", value=["2", 0]),
    }
    entry = await bench.run(prompt)
    assert entry.outcome.shown == {"2": {"text": ["3"]}, "out": {"text": ["3"]}}


async def test_an_output_node_without_ui_shows_nothing(local: Opener):
    bench = await local()
    entry = await bench.run({"1": n("V1Silent", value=3, log="")})
    assert entry.outcome.shown.get("1", {}) == {}


async def test_of_lazy_inputs_only_the_wanted_one_is_computed(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    prompt = {
        "yes": n("V1Number", value=1, log=str(log)),
        "no": n("V1Number", value=2, log=str(log)),
        "1": n("V1Switch", first=False, if_true=["yes", 0], if_false=["no", 0]),
        "out": n("V1Show", value=["1", 0]),
    }
    assert await shown(bench, prompt) == ["2"]
    assert log.read_text() == "Number 2\n"


async def test_lazy_inputs_over_a_list_are_asked_for_each_item(local: Opener):
    bench = await local()
    prompt = {
        "c": n("V1Count", length=3),
        "1": n("V1Switch", first=True, if_true=["c", 0], if_false=["c", 1]),
        "out": n("V1Show", value=["1", 0]),
    }
    assert await shown(bench, prompt) == ["0", "1", "2"]


async def test_a_list_runs_what_follows_for_each_item(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    prompt = {
        "c": n("V1Count", length=3),
        "1": n("V1Add", a=["c", 0], b=["c", 1], log=str(log)),
        "out": n("V1Show", value=["1", 0]),
    }
    assert await shown(bench, prompt) == ["3", "4", "5"]
    assert log.read_text() == "Add 0 3\nAdd 1 3\nAdd 2 3\n"


async def test_a_node_that_takes_lists_gets_every_input_as_a_list(local: Opener):
    bench = await local()
    prompt = {
        "c": n("V1Count", length=3),
        "1": n("V1Together", items=["c", 0], separator="-"),
        "out": n("V1Show", value=["1", 0]),
    }
    assert await shown(bench, prompt) == ["0-1-2 ['-'] ['1']"]


async def test_undeclared_links_reach_the_function_and_undeclared_literals_do_not(local: Opener):
    bench = await local()
    prompt = {
        "a": n("V1Number", value=1),
        "b": n("V1Number", value=2),
        "1": n("V1Sum", x=["a", 0], y=["b", 0], z=100),
        "out": n("V1Show", value=["1", 0]),
    }
    assert await shown(bench, prompt) == ["3"]


async def test_a_dict_that_has_every_name_takes_every_input(local: Opener):
    bench = await local()
    prompt = {
        "a": n("V1Number", value=1),
        "1": n("V1Take", x=["a", 0], row={"on": True, "name": "z"}, z=[1, 2, 3]),
        "out": n("V1Show", value=["1", 0]),
    }
    (text,) = await shown(bench, prompt)
    assert json.loads(text) == {"x": 1, "row": {"on": True, "name": "z"}, "z": [1, 2, 3]}


async def test_a_raw_link_is_given_as_it_is(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    prompt = {
        "a": n("V1Number", value=1, log=str(log)),
        "1": n("V1Link", value=["a", 0]),
        "out": n("V1Show", value=["1", 0]),
    }
    (text,) = await shown(bench, prompt)
    assert json.loads(text) == [["a", 0], True]
    assert not log.exists()


async def test_a_node_expands_to_a_graph_of_its_own_making(local: Opener):
    bench = await local()
    assert await shown(bench, shown_by(n("V1Repeat", start=5, step=3, times=4, log=""))) == ["17"]


async def test_a_graph_of_no_nodes_gives_plain_values(local: Opener):
    bench = await local()
    assert await shown(bench, shown_by(n("V1Repeat", start=5, step=3, times=0, log=""))) == ["5"]


async def test_what_was_expanded_is_not_computed_again(
    local: Opener, tmp_path: Path, keeping: CachePolicy
):
    bench, log = await local(), tmp_path / "log"
    anew = keeping.max_results == 0
    last = 8 if anew else 6 if keeping.latest_jobs_only else 4
    for times, lines in ((2, 2), (2, 4 if anew else 2), (4, last)):
        prompt = shown_by(n("V1Repeat", start=0, step=1, times=times, log=str(log)))
        assert await shown(bench, prompt) == [str(times)]
        assert len(log.read_text().splitlines()) == lines, "equal nodes are computed once"


async def test_an_expansion_over_a_list_expands_for_each_item(local: Opener):
    bench = await local()
    prompt = {
        "c": n("V1Count", length=3),
        "1": n("V1Repeat", start=["c", 0], step=10, times=2, log=""),
        "out": n("V1Show", value=["1", 0]),
    }
    assert await shown(bench, prompt) == ["20", "21", "22"]


async def test_expansions_expand_and_their_output_nodes_show(local: Opener):
    bench = await local()
    prompt = shown_by(n("V1Countdown", number=3, said="go"))
    entry = await bench.run(prompt)
    assert entry.outcome.shown["out"] == {"text": ["go 3 2 1 0"]}
    others = [value["text"][0] for id, value in entry.outcome.shown.items() if id != "out"]
    assert sorted(others) == ["1", "2", "3"]
    assert all(id.startswith("1.") for id in entry.outcome.shown if id != "out")


async def test_a_loop_runs_turn_by_turn_and_shows_each(local: Opener):
    bench, turns = await local(), 15
    prompt = {
        "begin": n("V1While", first=0),
        "sum": n("V1Add", a=["begin", 1], b=1),
        "each": n("V1ShowAndPass", value=["sum", 0]),
        "more": n("V1Below", value=["sum", 0], limit=turns),
        "end": n("V1EndWhile", flow=["begin", 0], condition=["more", 0], first=["each", 0]),
        "out": n("V1Show", value=["end", 0]),
    }
    for is_first in (True, False):
        entry = await bench.run(prompt)
        assert entry.outcome.failure is None
        assert entry.outcome.shown["out"] == {"text": [str(turns)]}
        told = {id: shown["text"][0] for id, shown in entry.outcome.shown.items() if id != "out"}
        assert sorted(map(int, told.values())) == list(range(1, turns + 1))
        assert max(map(len, told)) < 500, "ids do not grow with each turn"
        if is_first:
            assert set(entry.outcome.display.values()) == {"each"}, "as the loop wishes"


@pytest.mark.parametrize("turns", [1, 2, 3, 4])
async def test_a_loop_whose_counter_is_a_hidden_input_ends(local: Opener, turns: int):
    bench = await local()
    prompt = {
        "count": n("V1Fickle", value=turns),
        "first": n("EmptyImage", width=512, height=512, batch_size=1, color=0),
        "constant": n("EmptyImage", width=512, height=512, batch_size=1, color=0xFFFFFF),
        "begin": n("V1For", times=["count", 0], second=["first", 0]),
        "mean": n("V1Mean", a=["begin", 2], b=["constant", 0]),
        "end": n("V1EndFor", flow=["begin", 0], second=["mean", 0]),
        "levels": n("V1Brightness", picture=["end", 0]),
        "out": n("V1Show", value=["levels", 0]),
    }
    for _ in range(2):
        assert await shown(bench, prompt) == [str(1 - 0.5**turns)]


async def test_an_expansion_that_bites_its_tail_is_blamed_on_its_node(local: Opener):
    bench = await local()
    entry = await bench.run(shown_by(n("V1Snake")))
    failure = entry.outcome.failure
    assert failure is not None
    assert (failure.node, failure.exception) == ("1", "graph.DependencyCycleError")


async def test_a_blocked_output_keeps_what_follows_from_running(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    prompt = {
        "1": n("V1Block", value=5, limit=3, why=""),
        "2": n("V1Add", a=["1", 0], b=1, log=str(log)),
        "out": n("V1Show", value=["2", 0], log=str(log)),
        "free": n("V1Show", value="here"),
    }
    entry = await bench.run(prompt)
    assert entry.outcome.status == "success"
    assert entry.outcome.shown == {"free": {"text": ["here"]}}
    assert not log.exists()


async def test_in_a_list_only_the_blocked_item_is_left_out(local: Opener):
    bench = await local()
    prompt = {
        "c": n("V1Count", length=5),
        "1": n("V1Block", value=["c", 0], limit=2, why=""),
        "out": n("V1Show", value=["1", 0]),
    }
    assert await shown(bench, prompt) == ["0", "1", "2"]


async def test_a_value_below_the_limit_passes(local: Opener):
    bench = await local()
    assert await shown(bench, shown_by(n("V1Block", value=2, limit=3, why="no"))) == ["2"]


async def test_async_nodes_overlap(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    naps = {str(i): n("V1Nap", value=i, seconds=0.2, log=str(log)) for i in range(3)}
    prompt = {
        **naps,
        "s": n("V1Sum", a=["0", 0], b=["1", 0], c=["2", 0]),
        "out": n("V1Show", value=["s", 0]),
    }
    assert await shown(bench, prompt) == ["3"]
    assert log.read_text() == "begin\n" * 3 + "end\n" * 3


async def test_a_node_of_an_expansion_knows_its_parents(local: Opener):
    bench = await local()
    (text,) = await shown(bench, shown_by(n("V1Family", depth=2)))
    assert json.loads(text) == [0, "1.0.0.1.0.0.1", "1.0.0.1", "1"]


async def test_a_blocked_output_with_a_message_is_told_and_the_job_goes_on(local: Opener):
    bench = await local()
    prompt = {
        "1": n("V1Block", value=5, limit=3, why="too much"),
        "out": n("V1Show", value=["1", 0]),
        "free": n("V1Show", value="here"),
    }
    id = await bench.submit(prompt)
    entry = await bench.ended(id)
    assert entry.outcome.status == "success"
    (told,) = [event.failure for event in bench.events(id) if isinstance(event, NodeFailed)]
    assert "too much" in told.message
