"""A worker without threads, clocks or disks: it performs the effects of jobs in any order."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any, TypeAlias

from engine import node
from engine.authoring.markers import Files
from engine.authoring.protocols import Expansion
from engine.authoring.registry import Registry
from engine.graph.keys import CacheKeys
from engine.graph.prompt import Graph, GraphNode, Link
from engine.graph.topological_sort import CycleError
from engine.run import messages
from engine.run.events import Event, JobStarted
from engine.run.execution_graph import InputRequest
from engine.run.expand import read_expansions
from engine.run.inputs import BlockedInput, SourceFailed, with_lazy_inputs
from engine.run.job_state import JobState
from engine.run.list_mapping import merge_results
from engine.run.messages import Effect, Message
from engine.store.cache import NodeResult
from engine.store.history import Failure
from tests.pack.asking import also, wanted
from tests.run.conftest import Prompt
from tests.run.conftest import registry as pack_registry

Answers: TypeAlias = Sequence[Message]
NO_MESSAGE: Answers = ()


@also(lazy=("first", "second"), check_lazy_status=wanted)
@node("PickNumber", category="test")
def pick_number(*, which: str, first: int, second: int) -> int:
    """One of two inputs, the only one that it asks for."""
    return first if which == "first" else second


def registry() -> Registry:
    """The nodes of the test pack, and one more."""
    made = pack_registry()
    made.add_nodes([getattr(pick_number, "spec")])  # noqa: B009 - functions have no declared attribute
    return made


@dataclass
class Pending:
    """What will answer an effect, when its time comes."""

    answer: Callable[[], Answers]
    is_possible: Callable[[], bool] = lambda: True


class NoFiles:
    """No node of these prompts names a file."""

    def identity(self, files: Files, name: str) -> str:
        raise AssertionError((files, name))

    def identities(self, files: Files) -> str:
        raise AssertionError(files)


class World:
    """What jobs share: results, and keys that are held.

    Args:
        seed: of the order in which things happen, and of how long nodes take.
    """

    def __init__(self, seed: int) -> None:
        self.registry = registry()
        self.random = random.Random(seed)
        self.results: dict[str, NodeResult] = {}
        self.holders: dict[str, SimulatedJob] = {}
        self.jobs: list[SimulatedJob] = []

    def submit(self, prompt: Prompt, *, continues: bool = False) -> SimulatedJob:
        """Let a job begin some time."""
        self.jobs.append(SimulatedJob(self, f"job {len(self.jobs)}", prompt, continues))
        return self.jobs[-1]

    def step(self) -> bool:
        """Let one of the things happen that may happen; whether there was one."""
        possible = [(job, each) for job in self.jobs for each in job.pending if each.is_possible()]
        if not possible:
            return False
        job, chosen = self.random.choice(possible)
        job.pending.remove(chosen)
        for message in chosen.answer():
            job.post(message)
        return True

    def run(self) -> None:
        """Let everything happen, also what comes when the jobs are over."""
        while self.step():
            pass
        assert all(job.end is not None for job in self.jobs), "a job is stuck"
        assert not self.holders, "keys are held by nobody"


class SimulatedJob:
    """A job's state machine, and what its effects came to.

    Attributes:
        events: that it emitted.
        end: how it ended, once.
        ran: ids of the nodes whose functions were called.
    """

    def __init__(self, world: World, id: str, prompt: Prompt, continues: bool) -> None:
        self.prompt = prompt
        self.events: list[Event] = []
        self.end: messages.EndJob | None = None
        self.ran: list[str] = []
        self.pending: list[Pending] = []
        self._world = world
        self._graph = Graph.of(prompt, world.registry)
        self._nodes = dict(self._graph.nodes)
        outputs = [id for id, node in self._nodes.items() if node.spec.is_output]
        self._order = self._graph.ordered(outputs)
        self._keys = CacheKeys(id, NoFiles())
        self._keys.add(self._order, {})
        self._started: set[str] = set()
        self._answered: dict[int, list[Any] | None] = {}
        self._tickets = 0
        self._state = JobState(outputs, continues=continues)
        self.pending.append(Pending(self._planned))

    def post(self, message: Message) -> None:
        """Process a message, and perform the effects."""
        for effect in self._state.on(message):
            assert self.end is None or isinstance(
                effect, messages.ReleaseKey | messages.SaveResult
            ), effect
            self._perform(effect)

    def cancel(self) -> None:
        """Interrupt it."""
        self.post(messages.JobCancelled(frozenset(self._started)))

    def _planned(self) -> Answers:
        made, survey = self._keys.made, self._survey(self._order)
        return [messages.JobPlanned(self._order, made, survey, JobStarted(survey.cached, 0))]

    def _survey(self, nodes: Iterable[GraphNode]) -> messages.Survey:
        made, results = self._keys.made, self._world.results
        known = {node.id: results[made[node.id]] for node in nodes if made[node.id] in results}
        replays = {id: each for id, each in known.items() if each.nested_shown is not None}
        return messages.Survey([*known], replays, [])

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Event):
            self.events.append(effect)
            return
        match effect:
            case messages.EmitStarted(id):
                self._started.add(id)
            case messages.ReadResult(id, key):
                self._later(lambda: messages.ResultRead(id, self._world.results.get(key)))
            case messages.AcquireKey(id, key):
                free: Callable[[], bool] = lambda: key not in self._world.holders  # noqa: E731
                self.pending.append(Pending(partial(self._acquired, id, key), free))
            case messages.RunNode():
                self._acquire_and_run(effect)
            case messages.ReadExpansion():
                self._later(lambda: self._graph_read(effect))
            case _:
                self._finish(effect)

    def _finish(self, effect: Effect) -> None:
        match effect:
            case messages.SaveResult(id, key, result, _, awaited):
                self._world.results[key] = result
                if awaited:
                    self._later(lambda: messages.ResultSaved(id))
            case messages.ReleaseKey(key):
                assert self._world.holders.pop(key) is self
            case messages.AnswerInput(ticket, items):
                self._answered[ticket] = items
            case messages.EndJob():
                assert self.end is None
                self.end = effect
            case _:
                raise AssertionError(effect)

    def _later(self, answer: Callable[[], Message]) -> None:
        self.pending.append(Pending(lambda: [answer()]))

    def _acquired(self, id: str, key: str) -> list[messages.KeyAcquired]:
        known = self._world.results.get(key)
        if known is None:
            self._world.holders[key] = self
        return [messages.KeyAcquired(id, known)]

    def _acquire_and_run(self, effect: messages.RunNode) -> None:
        """Run a node if its key is free now; where the disk is to be read, it is held first."""
        id, key = effect.node.id, effect.key
        if key is None:
            self._run(effect)
        elif key in self._world.holders:
            free: Callable[[], bool] = lambda: key not in self._world.holders  # noqa: E731
            acquired = Pending(partial(self._acquired, id, key), free)
            self._later(lambda: self._taken(id, acquired))
        elif self._world.random.random() < 0.3:
            self._world.holders[key] = self
            self._later(lambda: self._taken(id, Pending(partial(self._read_or_hold, id, key))))
        else:
            (acquired,) = self._acquired(id, key)
            if acquired.result is None:
                self._run(effect)
            else:
                self._later(lambda: acquired)

    def _taken(self, id: str, acquired: Pending) -> Message:
        self.pending.append(acquired)
        return messages.KeyTaken(id)

    def _read_or_hold(self, id: str, key: str) -> list[messages.KeyAcquired]:
        del self._world.holders[key]
        return self._acquired(id, key)

    def _run(self, effect: messages.RunNode) -> None:
        id = effect.node.id
        if not effect.asks:
            assert id not in self.ran, "a node runs once"
            self.ran.append(id)
        self._started.add(id)
        run = SimulatedRun(self, effect)
        self.pending += [
            Pending(partial(run.step, number))
            for number, arguments in enumerate(effect.calls)
            if isinstance(arguments, dict)
        ]

    def await_items(self, ticket: int) -> Callable[[], bool]:
        """Whether an awaited input is there."""
        return lambda: ticket in self._answered

    def awaiting(self, link: Link, call: int) -> Awaiting:
        """Await an input."""
        self._tickets += 1
        return Awaiting(InputRequest(self._tickets, call, link), self._answered)

    def seconds(self) -> float:
        """How long a node takes: slow ones save their results before they are done."""
        return self._world.random.choice([0.0, 0.5])

    def _graph_read(self, effect: messages.ReadExpansion) -> Message:
        given, made = effect.returned, self._keys.made
        parent = given.node
        try:
            expansion = read_expansions(parent, given.returned, self._world.registry, self._nodes)
        except CycleError as error:
            return messages.CycleFound(parent.id, error.nodes)
        result = merge_results(parent.spec, given.calls, expansion.returned)
        older = self._graph.ordered(id for id in expansion.outside if id not in made)
        older = [each for each in older if each.id not in made]
        self._keys.add(older, {})
        self._keys.add(expansion.nodes, {}, parent)
        self._nodes |= {each.id: each for each in expansion.nodes}
        survey = self._survey(expansion.nodes)
        return messages.GraphRead(parent.id, older, expansion, result, made, survey)


class Awaiting:
    """Waits for an input: gives its request to whoever drives the coroutine."""

    def __init__(self, request: InputRequest, answered: Mapping[int, list[Any] | None]) -> None:
        self._request = request
        self._answered = answered

    def __await__(self) -> Generator[InputRequest, None, list[Any] | None]:
        yield self._request
        return self._answered[self._request.ticket]


class SimulatedRun:
    """The calls of a node, each of which goes on when it may."""

    def __init__(self, job: SimulatedJob, effect: messages.RunNode) -> None:
        self._job = job
        self._effect = effect
        spec = effect.node.spec
        self._function = spec.check_lazy_status if effect.asks else spec.function
        self._calls = [with_lazy_inputs(each, job.awaiting) for each in effect.calls]
        self._returned: list[Any] = [None] * len(self._calls)
        self._open = sum(isinstance(arguments, dict) for arguments in self._calls)
        self._coroutines: dict[int, Coroutine[Any, Any, Any]] = {}
        self._over = False

    def step(self, number: int) -> Answers:
        """Let a call run until it awaits something, or to its end."""
        if self._over:
            return NO_MESSAGE
        id = self._effect.node.id
        try:
            waits_for = self._resume(number)
        except SourceFailed:
            self._over = True
            return [messages.SourceLost(id)]
        except ValueError as error:
            self._over = True
            return [messages.NodeRaised(id, Failure(id, "", str(error), "ValueError"))]
        if waits_for is not None:
            again = Pending(partial(self.step, number), self._job.await_items(waits_for.ticket))
            self._job.pending.append(again)
            return [messages.InputAwaited(id, waits_for)]
        if number in self._coroutines:
            self._job.pending.append(Pending(partial(self.step, number)))
            return NO_MESSAGE
        self._open -= 1
        return [messages.CallEnded(id) if self._open else self._end()]

    def _resume(self, number: int) -> InputRequest | None:
        """Begin a call, or go on with it; what it awaits."""
        if number not in self._coroutines:
            value = self._begin(number)
            if not isinstance(value, Coroutine):
                self._returned[number] = value
                return None
            self._coroutines[number] = value
        try:
            return self._coroutines[number].send(None)
        except StopIteration as stop:
            self._returned[number] = stop.value
        except BlockedInput as blocked:
            self._returned[number] = blocked.blocked
        del self._coroutines[number]
        return None

    def _begin(self, number: int) -> Any:
        arguments, spec = self._calls[number], self._effect.node.spec
        assert isinstance(arguments, dict)
        assert self._function is not None
        if spec.run_parameter is not None and not self._effect.asks:
            arguments[spec.run_parameter] = SimpleNamespace(node=self._effect.node.id)
        return self._function(**arguments)

    def _end(self) -> Message:
        effect, seconds = self._effect, self._job.seconds()
        node = effect.node
        if effect.asks:
            names = frozenset(name for names in self._returned for name in names or ())
            return messages.InputsRequested(node.id, names, seconds)
        if any(isinstance(item, Expansion) for item in self._returned):
            return messages.GraphReturned(
                node, effect.inputs, effect.calls, self._returned, [], seconds
            )
        result = merge_results(node.spec, effect.calls, self._returned)
        return messages.NodeReturned(node.id, result, result.shown or {}, seconds)
