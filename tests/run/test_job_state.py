"""Whatever happens in whichever order, a job comes to what a plain reading of its graph says."""

from __future__ import annotations

from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from engine.graph.prompt import as_link
from engine.run.events import NodeExpanded, NodeOutput
from tests.run.conftest import Prompt
from tests.run.conftest import whole as n
from tests.run.simulation import SimulatedJob, World
from tests.run.test_any_graph import KINDS, SHOWING, Values, meant, shows

EXAMPLES = settings(max_examples=150, deadline=None, phases=[Phase.generate])
FAILING = ["Fail", "Wrong", "AwaitsItself"]
Meaning = Values | None
"""The items that a node gives; None: it fails."""


@st.composite
def prompts(draw: st.DrawFn, failing: bool) -> Prompt:
    """A prompt of nodes that list, block, expand, await, ask, and fail if they may."""
    prompt: Prompt = {}
    kinds: list[str] = [*KINDS, *SHOWING, "PickNumber", *(FAILING if failing else [])]
    for number in range(draw(st.integers(1, 10))):
        links = st.sampled_from(sorted(prompt)).map(lambda id: [id, 0])
        value = st.one_of(st.integers(-3, 3), links) if prompt else st.integers(-3, 3)
        kind = draw(st.sampled_from(kinds))
        prompt[str(number)] = draw(nodes(kind, value))
    sources = st.sampled_from(sorted(prompt))
    for number in range(draw(st.integers(1, 3))):
        prompt[f"show{number}"] = n("Show", value=[draw(sources), 0])
    return dict(draw(st.permutations(sorted(prompt.items()))))


def nodes(kind: str, value: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """One node of that kind."""
    inputs: dict[str, dict[str, st.SearchStrategy[Any]]] = {
        "Add": {"a": value, "b": value},
        "Tens": {"count": st.integers(0, 3)},
        "BlockOdd": {"count": st.integers(0, 4)},
        "ToZero": {"value": st.integers(0, 12), "total": value},
        "EitherAfter": {"condition": st.booleans(), "yes": value, "no": value},
        "Total": {"values": value},
        "Nap": {"value": value, "seconds": st.just(0.0)},
        "PickNumber": {
            "which": st.sampled_from(["first", "second"]),
            "first": value,
            "second": value,
        },
        "Wrong": {"kind": st.sampled_from(["fails inside", "cycle", "cycle through itself"])},
        "AwaitsItself": {},
    }
    taken = inputs.get(kind, {"value": value})
    return st.fixed_dictionaries(taken).map(lambda values: n(kind, **values))


class Interpreter:
    """Computes a prompt by plain recursion: no order, no cache, no job."""

    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt
        self.meanings: dict[str, Meaning] = {}
        for id in prompt:
            if shows(prompt, id):
                self.meaning(id)

    def meaning(self, id: str) -> Meaning:
        """What a node gives; those in `meanings` were needed."""
        if id not in self.meanings:
            self.meanings[id] = self._computed(id)
        return self.meanings[id]

    def _computed(self, id: str) -> Meaning:
        kind, inputs = self._prompt[id]["class_type"], self.inputs(id)
        links = [as_link(value) for value in inputs.values()]
        sources = {link.node: self.meaning(link.node) for link in links if link is not None}
        known = {source: items for source, items in sources.items() if items is not None}
        if len(known) < len(sources) or kind in ("Wrong", "AwaitsItself"):
            return None
        if kind == "Fail":
            items = meant("Nap", {"value": inputs["value"]}, known)
            return None if any(item != "blocked" for item in items) else items
        if kind == "EitherAfter":
            inputs = {"yes": 0, "no": 0, **inputs}
        if kind in ("PickNumber", "Show"):
            kind, (inputs,) = "Nap", [{"value": v} for name, v in inputs.items() if name != "which"]
        return meant(kind, inputs, known)

    def inputs(self, id: str) -> dict[str, Any]:
        """The inputs that a node takes: of lazy ones only those that it wants."""
        inputs = {k: v for k, v in self._prompt[id]["inputs"].items() if k not in ("log", "text")}
        match self._prompt[id]["class_type"]:
            case "EitherAfter":
                del inputs["no" if inputs["condition"] else "yes"]
            case "PickNumber":
                del inputs["second" if inputs["which"] == "first" else "first"]
            case _:
                pass
        return inputs

    def shown(self, *, nested: bool) -> dict[str, Values]:
        """The texts that each node shows that did not fail, itself or in its expansion."""
        kinds = ("Show", "ShowAndGive", *(["ShowsInside", "Around"] if nested else []))
        found: dict[str, Values] = {}
        for id, meaning in self.meanings.items():
            if meaning is not None and self._prompt[id]["class_type"] in kinds:
                value = self._prompt[id]["inputs"]["value"]
                items = self.meanings[value[0]] if isinstance(value, list) else [value]
                found[id] = sorted(str(item) for item in items or [] if item != "blocked")
        return {id: texts for id, texts in found.items() if texts}


def shown_by(job: SimulatedJob, ids: set[str]) -> dict[str, Values]:
    """The texts that a job showed, by the node of the prompt that clients know."""
    display: dict[str, str] = {}
    texts: dict[str, dict[str, Values]] = {}
    for event in job.events:
        if isinstance(event, NodeExpanded):
            display |= {id: display.get(shown, shown) for id, shown in event.display.items()}
        if isinstance(event, NodeOutput):
            texts.setdefault(display.get(event.node, event.node), {})[event.node] = event.shown[
                "text"
            ]
    found = {
        id: sorted(text for each in nodes.values() for text in each)
        for id, nodes in texts.items()
        if id in ids
    }
    return {id: each for id, each in found.items() if each}


def check(job: SimulatedJob, *, alone: bool) -> None:
    """It came to what the interpreter says.

    What is shown in expansions is recorded when a job succeeds: one beside it that finds results
    of it before that shows only what its own output nodes show.
    """
    said = Interpreter(job.prompt)
    outputs = {id for id in job.prompt if shows(job.prompt, id)}
    failing = {id for id in said.meanings if said.meanings[id] is None}
    assert job.end is not None
    if not failing:
        assert (job.end.status, job.end.partial) == ("success", None), job.end
        assert shown_by(job, outputs) == said.shown(nested=False)
        found, all_shown = shown_by(job, {*said.meanings}), said.shown(nested=True)
        assert found == all_shown if alone else all(found[id] == all_shown.get(id) for id in found)
    elif job.end.partial is not None:
        done = outputs - failing
        assert outputs.intersection(job.end.partial.successful_outputs) == done
        assert outputs.intersection(job.end.partial.blocked_outputs) == outputs & failing
        assert shown_by(job, outputs) == said.shown(nested=False)
    else:
        assert job.end.status == "error"
        assert job.end.failure is not None
        assert job.end.failure.node in failing


@EXAMPLES
@given(prompts(failing=False), st.integers(0, 2**32), st.integers(1, 3))
def test_equal_jobs_side_by_side_and_one_after_them_come_to_the_same(
    prompt: Prompt, seed: int, count: int
):
    world = World(seed)
    side_by_side = [world.submit(prompt) for _ in range(count)]
    world.run()
    for job in side_by_side:
        check(job, alone=count == 1)
    after = world.submit(prompt)
    world.run()
    check(after, alone=True)
    assert after.ran == [], "everything is cached"


@EXAMPLES
@given(prompts(failing=True), prompts(failing=True), st.integers(0, 2**32), st.booleans())
def test_a_job_fails_where_the_interpreter_says_and_harms_no_other(
    prompt: Prompt, other: Prompt, seed: int, continues: bool
):
    world = World(seed)
    for each in (prompt, other, prompt):
        world.submit(each, continues=continues)
    world.run()
    for job in world.jobs:
        check(job, alone=False)


@EXAMPLES
@given(prompts(failing=True), st.integers(0, 2**32), st.integers(0, 60))
def test_an_interrupted_job_ends_at_once_and_leaves_nothing_to_others(
    prompt: Prompt, seed: int, when: int
):
    world = World(seed)
    job, other = world.submit(prompt), world.submit(prompt)
    for _ in range(when):
        world.step()
    ended = job.end is not None
    job.cancel()
    assert job.end is not None
    assert ended or job.end.status == "interrupted"
    world.run()
    check(other, alone=False)
