"""One job: its nodes run as their inputs arrive, side by side where lanes allow."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from engine.authoring.errors import Interrupted
from engine.authoring.markers import CPU
from engine.authoring.protocols import Blocked, Expansion, File
from engine.authoring.spec import NodeSpec
from engine.devices.lanes import Task
from engine.graph.keys import Keys, fingerprints
from engine.graph.plan import CycleError
from engine.graph.prompt import Graph, GraphNode
from engine.run import failures
from engine.run.board import Board, Place, State
from engine.run.call import Bench, Errand, NodeCall
from engine.run.events import (
    Ended,
    Event,
    Expanded,
    NodeFailed,
    NodeFinished,
    NodeShown,
    NodeStarted,
    Started,
)
from engine.run.expand import grown
from engine.run.failures import now_ms, sendable
from engine.run.inputs import SourceFailed, inputs, items, unasked
from engine.run.telling import Telling
from engine.run.turns import filled, holes, result, turns
from engine.store.cache import WORTH_KEEPING_SECONDS, Result
from engine.store.history import Failure, Job, Partial, Status

log = logging.getLogger(__name__)

CONTINUE = "continue_independent"
QUICK_SECONDS = 0.005
RUNNER_SECONDS = 0.02
SLOW_SECONDS = 0.2


class JobRun:
    """One job on its way through a worker.

    A node ends in a lane, in the event loop or in a thread that writes to the disk; whichever it
    is goes on with the job from there, under the job's lock. Quick nodes that are ready follow
    each other in one lane, without a detour through the event loop.

    Args:
        bench: what the worker shares among its jobs.
        job: the job.
        emit: takes its events, called in the event loop.
    """

    def __init__(self, bench: Bench, job: Job, emit: Callable[[Event], None]) -> None:
        self._bench = bench
        self._job = job
        self._telling = Telling(emit)
        self._over = asyncio.Event()
        self._ended: Ended | None = None
        self._cancelled = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        previews = job.extra.get("preview_method", "none") != "none"
        self._nodes: dict[str, GraphNode] = {}
        self._parents: dict[str, str] = {}
        self._errand = Errand(
            bench, job, self._telling.tell, self._cancelled, previews, self._nodes, self._parents
        )
        self._goes_on = job.extra.get("node_failure_policy") == CONTINUE
        self._lock = threading.Lock()
        self._graph = Graph({})
        self._keys = Keys(job.id, bench.folders)
        self._board = Board(self._find)
        self._calls: dict[str, NodeCall] = {}
        self._quick: deque[tuple[Place, NodeCall]] = deque()
        self._has_runner = False
        self._executed: list[str] = []
        self._failures: list[Failure] = []
        self._unsaved: deque[tuple[str, Result]] = deque()

    async def run(self) -> None:
        """Run the job to its end; the last event is always `Ended`."""
        try:
            await self._begin()
            await self._over.wait()
        except asyncio.CancelledError:
            self._end("interrupted", self._interrupted())
        except Exception as error:  # noqa: BLE001 - whatever it is, the job ends
            self._break(error)
        self._cancelled.set()
        self._bench.cache.end(self._job.id)
        for task in self._tasks:
            task.cancel()
        assert self._ended is not None, "whatever ends a job says how"
        self._telling.close(self._ended)

    async def _begin(self) -> None:
        self._graph = Graph.of(self._job.prompt, self._bench.registry)
        self._nodes.update(self._graph.nodes)
        nodes = self._graph.ordered(self._job.outputs)
        self._keys.add(nodes, await fingerprints(nodes))
        self._bench.cache.begin(self._job.id, self._keys.made.values())
        cached = [node.id for node in nodes if self._has(self._keys.made[node.id], node.spec)]
        self._telling.tell(Started(cached, now_ms()))
        with self._lock:
            self._board.add(nodes, self._keys.made)
            for id in self._job.outputs:
                self._board.aim(self._board.places[id])
        self._go_on()

    # --- what is there already ---------------------------------------------------------------

    def _has(self, key: str, spec: NodeSpec) -> bool:
        """Whether a result is at hand; one that shows files only while they are there."""
        if not spec.shows:
            return self._bench.cache.has(key)
        known = self._bench.cache.get(key)
        if known is None:
            return False
        shown = [item for items in (known.shown or {}).values() for item in items]
        if all(self._bench.folders.has(item) for item in shown if isinstance(item, File)):
            return True
        self._bench.cache.forget(key)
        return False

    def _find(self, place: Place) -> Result | None:
        """The cached result of a place, told like one that was made now."""
        if not self._has(place.key, place.node.spec):
            return None
        known = self._bench.cache.get(place.key)
        if known is not None and known.shown is not None:
            if known.shown:
                self._telling.note(NodeShown(place.node.id, sendable(known.shown)))
            self._telling.note(NodeFinished(place.node.id, cached=True, seconds=0.0))
        return known

    # --- going on, from any thread -----------------------------------------------------------

    def _go_on(self) -> None:
        """Start what is ready, tell what happened, write down what is to outlive a crash."""
        self._advance()
        self._telling.flush()
        while self._unsaved:
            self._bench.cache.save(*self._unsaved.popleft())
            self._bench.outputs.settle()

    def _advance(self) -> None:
        try:
            with self._lock:
                starts = self._starts()
            for start in starts:
                start()
        except Exception as error:  # noqa: BLE001 - a job must not hang
            self._break(error)

    def _starts(self) -> list[Callable[[], object]]:
        """Make calls of what is ready; gives what sets them going, outside of the lock."""
        starts: list[Callable[[], object]] = []
        while self._ended is None:
            if self._board.ready:
                place = self._board.ready.popleft()
                start = self._start(place) if place.state is State.WANTED else None
                if start is not None:
                    starts.append(start)
            elif not self._board.open:
                self._succeed()
            elif all(call.is_stuck for call in self._calls.values()):
                self._fail_cycle()
            else:
                break
        return starts

    def _start(self, place: Place) -> Callable[[], object] | None:
        if place.unfilled is not None:
            self._fill(place, place.unfilled)
            return None
        spec = place.node.spec
        asks = spec.needs is not None and not place.has_all and bool(unasked(place))
        given = inputs(self._board, place, self._arrived)
        call = NodeCall(
            self._errand,
            place.node,
            spec.needs if asks and spec.needs is not None else spec.function,
            given,
            turns(place.node, given),
            on_start=partial(self._announce, place),
            done=partial(self._taken_needs if asks else self._taken, place),
        )
        if not asks or not call.left:
            self._tell_blocked(place, call)
        if not call.left:
            self._announce(place)
            self._settle(place, result(spec, call.turns, call.returned), {})
            return None
        self._calls[place.node.id] = call
        return self._starter(place, call)

    def _starter(self, place: Place, call: NodeCall) -> Callable[[], object] | None:
        """What sets a call going."""
        if call.in_loop:
            return partial(self._in_loop, call.run_in_loop)
        cost = self._bench.costs.get(place.node.spec.id, 1.0)
        if not call.is_plain or place.node.spec.on != CPU or cost > QUICK_SECONDS:
            return call.submit
        self._quick.append((place, call))
        if self._has_runner:
            return None
        self._has_runner = True
        return self._start_runner

    def _start_runner(self) -> None:
        runner = Task(
            call=self._run_quick,
            handles=(),
            cancelled=self._cancelled,
            on_start=nothing,
            on_step=nothing,
            on_end=nothing,
        )
        self._bench.lanes.pick(gpu=False, cpu=True).submit(runner)

    def _run_quick(self, device: str) -> None:
        """Run quick nodes in a row, in a lane; after a while it is somebody else's turn."""
        until = time.perf_counter() + RUNNER_SECONDS
        while time.perf_counter() < until:
            with self._lock:
                if not self._quick or self._ended is not None:
                    self._has_runner = False
                    break
                place, call = self._quick.popleft()
            self._telling.flush_old()
            call.run_here(device)
            try:
                self._take(place, call)
            except Exception as error:  # noqa: BLE001 - a job must not hang
                self._break(error)
            self._advance()
        else:
            self._start_runner()
        self._go_on()

    def _in_loop(self, begin: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a coroutine as a task of the job."""

        async def guarded() -> None:
            try:
                await begin()
            except Exception as error:  # noqa: BLE001 - a job must not hang
                self._break(error)

        def spawn() -> None:
            if self._ended is None:
                task = asyncio.get_running_loop().create_task(guarded())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

        self._telling.in_loop(spawn)

    # --- what calls gave ---------------------------------------------------------------------

    def _announce(self, place: Place) -> None:
        if not place.announced:
            place.announced = True
            self._telling.note(NodeStarted(place.node.id))

    def _taken(self, place: Place, call: NodeCall) -> None:
        try:
            self._take(place, call)
        except Exception as error:  # noqa: BLE001 - a job must not hang
            self._break(error)
        self._go_on()

    def _take(self, place: Place, call: NodeCall) -> None:
        """Take what the node's function returned."""
        place.seconds += call.seconds
        if call.error is not None:
            self._fail(place, call, call.error)
            return
        self._bench.costs[place.node.spec.id] = call.seconds
        if any(isinstance(item, Expansion) for item in call.returned):
            self._in_loop(partial(self._expand, place, call))
            return
        try:
            made = result(place.node.spec, call.turns, call.returned)
            shown = sendable(made.shown or {})
        except Exception as error:  # noqa: BLE001 - a node may return anything
            self._fail(place, call, error)
            return
        if self._keep(place, made):
            with self._lock:
                self._settle(place, made, shown)
        else:
            self._in_loop(partial(self._save, place, made, shown))

    def _keep(self, place: Place, made: Result) -> bool:
        """Into the cache; False if it takes a while to write it down first."""
        cache, seconds = self._bench.cache, place.seconds
        cache.remember(place.key, made)
        if not cache.is_worth_saving(made, seconds):
            return True
        if seconds > SLOW_SECONDS:
            return False
        if seconds > WORTH_KEEPING_SECONDS:
            cache.save(place.key, made)
        else:
            self._unsaved.append((place.key, made))
        return True

    async def _save(self, place: Place, made: Result, shown: dict[str, list[Any]]) -> None:
        await asyncio.to_thread(self._bench.cache.save, place.key, made)
        with self._lock:
            self._settle(place, made, shown)
        self._go_on()

    def _settle(self, place: Place, made: Result, shown: dict[str, list[Any]]) -> None:
        """The node is done; the lock is held."""
        id = place.node.id
        self._calls.pop(id, None)
        self._executed.append(id)
        if shown:
            self._telling.note(NodeShown(id, shown))
        self._telling.note(NodeFinished(id, cached=False, seconds=place.seconds))
        self._board.settle(place, made)

    def _taken_needs(self, place: Place, call: NodeCall) -> None:
        """Have computed what the node needs; if that is nothing more, it is ready."""
        if call.error is not None:
            self._fail(place, call, call.error)
        elif any(map(inspect.isawaitable, call.returned)):
            self._in_loop(partial(self._await_needs, place, call))
            return
        else:
            named = {name for names in call.returned for name in names or ()}
            with self._lock:
                del self._calls[place.node.id]
                wanted = named.intersection(unasked(place))
                place.followed |= wanted
                place.has_all = not wanted
                links = place.followed_links().values()
                self._board.hold(place, [self._board.places[link.node] for link in links])
        self._go_on()

    async def _await_needs(self, place: Place, call: NodeCall) -> None:
        try:
            call.returned = [
                await item if inspect.isawaitable(item) else item for item in call.returned
            ]
        except Exception as error:  # noqa: BLE001 - a node may raise anything
            call.error = error
        self._taken_needs(place, call)

    async def _arrived(self, place: Place, source: Place) -> None:
        """Have a lazy input computed for a call that waits meanwhile; in the event loop.

        Raises:
            SourceFailed: it cannot be computed.
        """
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        with self._lock:
            if not source.at_hand:
                call = self._calls[place.node.id]

                def wake() -> None:
                    call.waiting -= 1
                    place.awaits.remove(source)
                    loop.call_soon_threadsafe(done.set)

                call.waiting += 1
                place.awaits.append(source)
                source.waiters.append(wake)
                self._board.want(source)
        if not source.at_hand:
            self._go_on()
            await done.wait()
        if source.state is State.FAILED:
            raise SourceFailed

    # --- expansions --------------------------------------------------------------------------

    async def _expand(self, place: Place, call: NodeCall) -> None:
        """Put what a node expanded into onto the board; the node is done when that is."""
        try:
            growth = grown(place.node, call.returned, self._bench.registry, self._nodes)
            made = result(place.node.spec, call.turns, growth.returned)
            sendable(made.shown or {})
            places = self._board.places
            older = self._graph.ordered(id for id in growth.outside if id not in places)
            prints = await fingerprints([*older, *growth.nodes])
        except CycleError as error:
            with self._lock:
                self._drop(place, failures.cycle(error.nodes, place, self._executed))
        except Exception as error:  # noqa: BLE001 - a node may return anything
            self._fail(place, call, error)
        else:
            with self._lock:
                del self._calls[place.node.id]
                self._keys.add((node for node in older if node.id not in places), prints)
                self._keys.add(growth.nodes, prints, place.node)
                self._board.add((node for node in older if node.id not in places), self._keys.made)
                grown_keys = [self._keys.made[node.id] for node in growth.nodes]
                self._bench.cache.grow(self._job.id, place.key, grown_keys)
                self._nodes.update({node.id: node for node in growth.nodes})
                self._parents.update({node.id: place.node.id for node in growth.nodes})
                display = self._board.expand(place, growth, made, self._keys.made)
                self._telling.note(Expanded(place.node.id, display))
        self._go_on()

    def _fill(self, place: Place, unfilled: Result) -> None:
        """A node is done whose expansion is; it would not show again what is shown inside."""
        made = filled(unfilled, partial(items, self._board))
        if not place.shows_inside:
            self._bench.cache.remember(place.key, made)
            if self._bench.cache.is_worth_saving(made, place.seconds):
                self._unsaved.append((place.key, made))
        self._settle(place, made, sendable(made.shown or {}))
        for id in dict.fromkeys(link.node for link in holes(unfilled.outputs)):
            self._board.release(self._board.places[id])

    # --- ends --------------------------------------------------------------------------------

    def _tell_blocked(self, place: Place, call: NodeCall) -> None:
        for turn in call.turns:
            if isinstance(turn, Blocked) and turn.message is not None:
                self._announce(place)
                self._telling.note(NodeFailed(failures.blocked(place, turn, self._executed)))

    def _fail(self, place: Place, call: NodeCall, error: Exception) -> None:
        """A node raised an error."""
        with self._lock:
            self._calls.pop(place.node.id, None)
            if self._ended is not None:
                return
            if isinstance(error, Interrupted):
                self._end("interrupted", self._interrupted_at(place))
            elif isinstance(error, SourceFailed):
                self._board.fail(place)
            else:
                node = place.node
                log.error("node %s (%s) failed", node.id, node.spec.id, exc_info=error)
                folders = self._bench.folders
                told = failures.failure(place, call.inputs, error, self._executed, folders)
                self._drop(place, told)

    def _fail_cycle(self) -> None:
        """Nothing can go on, as nodes wait for each other: an expansion made it so."""
        cycle = self._board.cycle()
        blamed = next(place for place in cycle if place.unfilled is not None)
        ids = [place.node.id for place in cycle]
        self._drop(blamed, failures.cycle(ids, blamed, self._executed))

    def _drop(self, place: Place, failure: Failure) -> None:
        """The job ends, or goes on without the node and what needs it; the lock is held."""
        self._calls.pop(place.node.id, None)
        self._failures.append(failure)
        if self._goes_on:
            self._telling.note(NodeFailed(failure))
            self._board.fail(place)
        else:
            self._end("error", failure)

    def _succeed(self) -> None:
        """Every output is done, or has failed while the job went on."""
        if not self._failures:
            self._end("success")
            return
        places = self._board.places.values()
        targets = [place for place in places if place.target]
        good = [place.node.id for place in targets if place.state is State.DONE]
        if not good:
            self._end("error", self._failures[0])
            return
        failed = [place.node.id for place in places if place.state is State.FAILED]
        blamed = {failure.node for failure in self._failures}
        self._end(
            "success",
            partial=Partial(
                errors=len(self._failures),
                blocked=[id for id in failed if id not in blamed],
                blocked_outputs=[p.node.id for p in targets if p.state is State.FAILED],
                successful_outputs=good,
            ),
        )

    def _break(self, error: Exception) -> None:
        """Something failed that is no node."""
        log.error("job %s failed outside of its nodes", self._job.id, exc_info=error)
        text = failures.readable(f"the job could not be run: {error}")
        self._end("error", Failure("", "", text, type(error).__name__, executed=self._executed))

    def _end(
        self, status: Status, failure: Failure | None = None, partial: Partial | None = None
    ) -> None:
        if self._ended is None:
            self._ended = Ended(status, now_ms(), failure, partial)
            self._telling.in_loop(self._over.set)

    def _interrupted(self) -> Failure:
        """Where the job is."""
        with self._lock:
            running = [self._board.places[id] for id in self._calls]
        return self._interrupted_at(next((place for place in running if place.announced), None))

    def _interrupted_at(self, place: Place | None) -> Failure:
        root = place.root.node if place is not None else None
        id, kind = (root.id, root.spec.id) if root is not None else ("", "")
        return Failure(id, kind, "interrupted", Interrupted.__name__, executed=self._executed)


def nothing(*_: Any) -> None:
    """For a task that nobody follows."""
