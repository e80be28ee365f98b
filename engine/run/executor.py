"""One job: its nodes run as their inputs arrive, side by side where lanes allow."""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from engine.authoring.errors import Interrupted
from engine.authoring.protocols import Blocked, Expansion
from engine.graph.keys import Keys, fingerprints, has_fingerprint
from engine.graph.plan import CycleError
from engine.graph.prompt import Graph, GraphNode
from engine.run import failures
from engine.run.board import Board, Place, State
from engine.run.call import Bench, Errand, NodeCall
from engine.run.events import (
    Ended,
    Expanded,
    NodeFailed,
    NodeFinished,
    NodeShown,
    NodeStarted,
    Started,
    now_ms,
)
from engine.run.expand import grown
from engine.run.failures import sendable
from engine.run.inputs import Inputs, SourceFailed, items, unasked
from engine.run.kept import Kept
from engine.run.loop import Loop, Tell
from engine.run.row import Row
from engine.run.turns import filled, holes, result, turns
from engine.store.cache import NodeResult
from engine.store.history import Failure, Job, Partial, Status

log = logging.getLogger(__name__)

CONTINUE = "continue_independent"


class JobRun:
    """One job on its way through a worker.

    A node ends in a lane, in the event loop or in a thread that writes to the disk; whichever it
    is goes on with the job from there, under the job's lock. `flush` tells now what is to tell.

    Args:
        bench: what the worker shares among its jobs.
        job: the job.
        tell: takes its events; the last one is always `Ended`.
        over: called after that, in any thread.
    """

    def __init__(self, bench: Bench, job: Job, tell: Tell, over: Callable[[], object]) -> None:
        self._bench = bench
        self._job = job
        self._loop = Loop(bench.loop, tell, self._break)
        self.flush = self._loop.flush
        self._over = over
        self._ended: Ended | None = None
        cancelled = self._cancelled = threading.Event()
        self._nodes: dict[str, GraphNode] = {}
        self._parents: dict[str, str] = {}
        self._errand = Errand(bench, job, self._loop.tell, cancelled, self._nodes, self._parents)
        self._goes_on = job.extra.get("node_failure_policy") == CONTINUE
        self._lock = threading.Lock()
        self._graph = Graph({})
        self._keys = Keys(f"{job.id} {job.created}", bench.folders)  # an id may be used again
        self._kept = Kept(bench, self._loop)
        self._board = Board(self._kept.find)
        self._inputs = Inputs(self._board, self._lock, self._go_on)
        self._calls: dict[str, NodeCall] = {}
        self._elsewhere = 0  # places whose result an equal node makes
        self._row = Row(self._errand, self._lock, self._run_quick, self._go_on)
        self._executed: list[str] = []
        self._failures: list[Failure] = []

    def begin(self, runs_quick: bool = False) -> None:
        """Start the job; with `runs_quick` this thread runs the quick nodes it begins with."""
        self._row.thread = threading.get_ident() if runs_quick else None
        try:
            self._graph = Graph.of(self._job.prompt, self._bench.registry)
            self._nodes.update(self._graph.nodes)
            nodes = self._graph.ordered(self._job.outputs)
            if any(map(has_fingerprint, nodes)):
                self._loop.spawn(partial(self._begin_asking, nodes))
            else:
                self._begin(nodes, {})
        except Exception as error:  # noqa: BLE001 - whatever it is, the job ends
            self._break(error)

    def cancel(self) -> None:
        """Interrupt the job."""
        with self._lock:
            running = [self._board.places[id] for id in self._calls]
            self._end("interrupted", failures.interrupted(running, self._executed))
        self._close()

    async def _begin_asking(self, nodes: list[GraphNode]) -> None:
        self._begin(nodes, await fingerprints(nodes))

    def _begin(self, nodes: list[GraphNode], prints: Mapping[str, object]) -> None:
        self._keys.add(nodes, prints)
        self._kept.begin(self._job.id, self._keys.made.values())
        made = self._keys.made
        whole, gone = self._kept.shown_inside(nodes, made)
        has = self._kept.has
        cached = [n.id for n in nodes if n.id in whole or has(made[n.id], shows=n.spec.shows)]
        self._loop.note(Started(cached, now_ms()))
        with self._lock:
            self._board.add(nodes, made)
            self._kept.retell(whole, self._board.places)
            self._board.aim_at(*self._job.outputs, *gone)
        self._go_on()

    def _go_on(self) -> None:
        """Start what is ready, tell what happened, write down what is to outlive a crash."""
        self._advance()
        self._close()
        self._loop.flush()
        self._kept.write()

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
            elif self._is_stuck():
                self._fail_cycle()
            else:
                break
        return starts

    def _is_stuck(self) -> bool:
        """Whether all that runs waits for inputs that nobody computes."""
        places = self._board.places
        calls = self._calls.items()
        return not self._elsewhere and all(0 < c.left == places[id].idle for id, c in calls)

    def _start(self, place: Place) -> Callable[[], object] | None:
        if place.unfilled is not None:
            self._fill(place, place.unfilled)
            return None
        if self._is_made(place):
            return None
        spec = place.node.spec
        asks = spec.needs is not None and not place.has_all and bool(unasked(place))
        given = self._inputs.of(place)
        call = NodeCall(
            self._errand,
            place.node,
            spec.needs if asks and spec.needs is not None else spec.function,
            given,
            turns(place.node, given),
            on_start=partial(self._announce, place),
            done=partial(self._taken, place),
        )
        if not asks or not call.left:
            self._tell_blocked(place, call)
        if not call.left:
            self._announce(place)
            self._settle(place, result(spec, call.turns, call.returned), {})
            return None
        self._calls[place.node.id] = call
        if call.in_loop:
            return partial(self._loop.spawn, call.run_in_loop)
        return self._row.add(place, call) if self._row.takes(call) else call.submit

    def _is_made(self, place: Place) -> bool:
        """Whether an equal node makes the result now, or has made it since it was wanted."""
        if not self._kept.claim(place, partial(self._loop.call, partial(self._look_again, place))):
            self._elsewhere += 1
            return True
        known = self._kept.find(place)
        if known is not None:
            self._leave(place)
            self._board.settle(place, known)
        return known is not None

    def _look_again(self, place: Place) -> None:
        with self._lock:
            self._elsewhere -= 1
            self._board.ready.append(place)
        self._go_on()

    def _run_quick(self, device: str, place: Place, call: NodeCall) -> None:
        self._loop.flush_old()
        call.run_here(device)
        self._take(place, call)
        self._advance()

    def _announce(self, place: Place, now: bool = False) -> None:
        if not place.announced:
            place.announced = True
            self._loop.note(NodeStarted.here(place.node.id))
        if now:
            self._loop.flush()

    def _taken(self, place: Place, call: NodeCall) -> None:
        self._take(place, call)
        self._go_on()

    def _take(self, place: Place, call: NodeCall) -> None:
        """Take what a call returned."""
        try:
            self._took(place, call)
        except Exception as error:  # noqa: BLE001 - a job must not hang
            self._break(error)

    def _took(self, place: Place, call: NodeCall) -> None:
        place.seconds += call.seconds
        if call.error is not None:
            self._fail(place, call, call.error)
            return
        if call.asks:
            self._took_needs(place, call)
            return
        self._bench.costs[place.node.spec.id] = call.seconds
        if any(isinstance(item, Expansion) for item in call.returned):
            self._loop.spawn(partial(self._expand, place, call))
            return
        try:
            made = result(place.node.spec, call.turns, call.returned, call.warnings)
            shown = sendable(made.shown or {})
        except Exception as error:  # noqa: BLE001 - a node may return anything
            self._fail(place, call, error)
            return
        if self._kept.keep(place, made):
            with self._lock:
                self._settle(place, made, shown)
        else:
            self._loop.spawn(partial(self._save, place, made, shown))

    async def _save(self, place: Place, made: NodeResult, shown: dict[str, list[Any]]) -> None:
        await self._kept.save(place, made)
        with self._lock:
            self._settle(place, made, shown)
        self._go_on()

    def _leave(self, place: Place) -> None:
        """Nothing runs for the node any more; the lock is held."""
        self._calls.pop(place.node.id, None)
        self._kept.leave(place)

    def _settle(self, place: Place, made: NodeResult, shown: dict[str, list[Any]]) -> None:
        """The node is done; the lock is held."""
        id = place.node.id
        self._leave(place)
        self._executed.append(id)
        if shown:
            self._loop.note(NodeShown(id, shown))
        self._loop.note(NodeFinished(id, cached=False, seconds=place.seconds))
        self._board.settle(place, made)

    def _took_needs(self, place: Place, call: NodeCall) -> None:
        """Have computed what the node needs; if that is nothing more, it is ready."""
        if any(map(inspect.isawaitable, call.returned)):
            self._loop.spawn(partial(self._await_needs, place, call))
            return
        named = {name for names in call.returned for name in names or ()}
        with self._lock:
            del self._calls[place.node.id]
            wanted = named.intersection(unasked(place))
            place.followed |= wanted
            place.has_all = not wanted
            links = place.followed_links().values()
            self._board.hold(place, [self._board.places[link.node] for link in links])

    async def _await_needs(self, place: Place, call: NodeCall) -> None:
        await call.await_returned()
        self._taken(place, call)

    async def _expand(self, place: Place, call: NodeCall) -> None:
        """Put what a node expanded into onto the board; the node is done when that is."""
        try:
            growth = grown(place.node, call.returned, self._bench.registry, self._nodes)
            made = result(place.node.spec, call.turns, growth.returned, call.warnings)
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
                self._leave(place)
                older = [node for node in older if node.id not in places]
                self._keys.add(older, prints)
                self._keys.add(growth.nodes, prints, place.node)
                keys, new = self._keys.made, {node.id: node for node in growth.nodes}
                self._board.add(older, keys)
                self._kept.grow(self._job.id, place.key, [keys[id] for id in new])
                self._nodes.update(new)
                self._parents.update(dict.fromkeys(new, place.node.id))
                whole, gone = self._kept.shown_inside(growth.nodes, keys)
                display = self._board.expand(place, growth, made, keys)
                self._loop.note(Expanded(place.node.id, display))
                self._kept.retell(whole, places)
                self._board.aim_at(*gone)
        self._go_on()

    def _fill(self, place: Place, unfilled: NodeResult) -> None:
        """A node is done whose expansion is."""
        made = filled(unfilled, partial(items, self._board))
        self._kept.keep_expanded(place, made)
        self._settle(place, made, sendable(made.shown or {}))
        for id in dict.fromkeys(link.node for link in holes(unfilled.outputs)):
            self._board.release(self._board.places[id])

    def _tell_blocked(self, place: Place, call: NodeCall) -> None:
        for turn in call.turns:
            if isinstance(turn, Blocked) and turn.message is not None:
                self._announce(place)
                self._loop.note(NodeFailed(failures.blocked(place, turn, self._executed)))

    def _fail(self, place: Place, call: NodeCall, error: Exception) -> None:
        """A node raised an error."""
        with self._lock:
            self._leave(place)
            if self._ended is not None:
                return
            if isinstance(error, Interrupted):
                self._end("interrupted", failures.interrupted([place], self._executed))
            elif isinstance(error, SourceFailed):
                self._board.fail(place)
            else:
                log.error("node %s failed", place, exc_info=error)
                done, home = self._executed, self._bench.folders
                self._drop(place, failures.failure(place, call.inputs, error, done, home))

    def _fail_cycle(self) -> None:
        """Nothing can go on, as nodes wait for each other: an expansion made it so."""
        ids = [place.node.id for place in self._board.cycle()]
        blamed = next(p for p in map(self._board.places.__getitem__, ids) if p.unfilled is not None)
        self._drop(blamed, failures.cycle(ids, blamed, self._executed))

    def _drop(self, place: Place, failure: Failure) -> None:
        """The job ends, or goes on without the node and what needs it; the lock is held."""
        self._leave(place)
        self._failures.append(failure)
        if self._goes_on:
            self._loop.note(NodeFailed(failure))
            self._board.fail(place)
        else:
            self._end("error", failure)

    def _succeed(self) -> None:
        """Every output is done, or has failed while the job went on."""
        if not self._failures:
            self._kept.finish()
            self._end("success")
            return
        outcome = failures.outcome(self._board, self._failures)
        if outcome.successful_outputs:
            self._end("success", partial=outcome)
        else:
            self._end("error", self._failures[0])

    def _break(self, error: Exception) -> None:
        """Something failed that is no node."""
        log.error("job %s failed outside of its nodes", self._job.id, exc_info=error)
        with self._lock:
            self._end("error", failures.broken(error, self._executed))
        self._close()

    def _end(
        self, status: Status, failure: Failure | None = None, partial: Partial | None = None
    ) -> None:
        """The job is over; the lock is held."""
        if self._ended is None:
            self._ended = Ended(status, now_ms(), failure, partial)
            self._kept.end(self._job.id)

    def _close(self) -> None:
        """Tell how the job ended, if it has."""
        if self._ended is not None and self._loop.close(self._ended):
            self._cancelled.set()
            self._over()
