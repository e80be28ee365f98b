"""Executes one job: its nodes run as their inputs arrive, side by side where lanes allow."""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from engine.authoring.errors import Interrupted
from engine.authoring.protocols import Blocked, Expansion
from engine.graph.keys import CacheKeys, fingerprints, has_fingerprint
from engine.graph.prompt import Graph, GraphNode
from engine.graph.topological_sort import CycleError
from engine.run import events, failures
from engine.run.context import JobContext, WorkerContext
from engine.run.execution_graph import ExecutionGraph, NodeState, NodeStatus
from engine.run.expand import read_expansions
from engine.run.inline_runner import InlineRunner
from engine.run.inputs import Inputs, SourceFailed, link_items, unrequested_inputs
from engine.run.invocation import NodeInvocation
from engine.run.job_results import JobResultCache
from engine.run.list_mapping import map_over_lists, merge_results, placeholders, resolve
from engine.run.outbox import ClosedHandler, EventOutbox, EventSink
from engine.store.cache import NodeResult
from engine.store.history import Failure, Job, Partial, Status

log = logging.getLogger(__name__)

CONTINUE = "continue_independent"
Shown: TypeAlias = dict[str, list[Any]]


class JobRun:
    """The execution of one job in a worker.

    A node ends in a lane, in the event loop or in a thread that writes to the disk; that thread
    advances the job, under the job's lock. `flush` sends the queued events now.

    Args:
        worker: what all jobs of the worker share.
        job: the job.
        on_events: receives its events; the last one is always `JobFinished`.
        on_closed: called after that.
    """

    def __init__(
        self, worker: WorkerContext, job: Job, on_events: EventSink, on_closed: ClosedHandler
    ) -> None:
        self._worker = worker
        self._job = job
        self._outbox = EventOutbox(worker.loop, on_events, self._fail_job)
        self.flush = self._outbox.flush
        self._on_closed = on_closed
        self._ended: events.JobFinished | None = None
        self._nodes: dict[str, GraphNode] = {}
        self._parents: dict[str, str] = {}
        self._context = JobContext(worker, job, self._outbox.emit, self._nodes, self._parents)
        self._continues_on_failure = job.extra.get("node_failure_policy") == CONTINUE
        self._lock = threading.Lock()
        self._graph = Graph({})
        self._keys = CacheKeys(f"{job.id} {job.created}", worker.folders)  # an id may be used again
        self._results = JobResultCache(worker, self._outbox)
        self._execution = ExecutionGraph(self._results.find)
        self._inputs = Inputs(self._execution, self._lock, self._advance)
        self._calls: dict[str, NodeInvocation] = {}
        self._in_flight_elsewhere = 0  # nodes whose result an equal node computes
        self._inline = InlineRunner(self._context, self._lock, self._run_inline, self._advance)
        self._executed: list[str] = []
        self._failures: list[Failure] = []

    def begin(self, run_inline: bool = False) -> None:
        """Start the job; with `run_inline` this thread runs the quick nodes it begins with."""
        self._inline.thread = threading.get_ident() if run_inline else None
        try:
            self._graph = Graph.of(self._job.prompt, self._worker.registry)
            self._nodes.update(self._graph.nodes)
            nodes = self._graph.ordered(self._job.outputs)
            if any(map(has_fingerprint, nodes)):
                self._outbox.spawn(partial(self._begin_with_fingerprints, nodes))
            else:
                self._begin(nodes, {})
        except Exception as error:  # noqa: BLE001 - whatever it is, the job ends
            self._fail_job(error)

    def cancel(self) -> None:
        """Interrupt the job."""
        with self._lock:
            running = [self._execution.states[id] for id in self._calls]
            self._end("interrupted", failures.of_interrupt(running, self._executed))
        self._close()

    def holds_thread(self) -> bool:
        """Whether code of a node still runs in a lane, or in the thread that reads frames."""
        return self._inline.is_running or self._worker.lanes.are_held_by(self._context.cancelled)

    async def _begin_with_fingerprints(self, nodes: list[GraphNode]) -> None:
        self._begin(nodes, await fingerprints(nodes))

    def _begin(self, nodes: list[GraphNode], prints: Mapping[str, object]) -> None:
        self._keys.add(nodes, prints)
        self._results.begin_job(self._job.id, self._keys.made.values())
        made = self._keys.made
        whole, gone = self._results.find_expansion_outputs(nodes, made)
        has = self._results.has
        cached = [n.id for n in nodes if n.id in whole or has(made[n.id], shows=n.spec.is_output)]
        self._outbox.enqueue(events.JobStarted(cached, events.now_ms()))
        with self._lock:
            self._execution.add(nodes, made)
            self._results.replay_expansion_outputs(whole, self._execution.states)
            self._execution.add_targets(*self._job.outputs, *gone)
        self._advance()

    def _advance(self) -> None:
        """Start what is ready, send the events, save what must survive a crash."""
        self._start_ready()
        self._close()
        self._outbox.flush()
        self._results.flush()

    def _start_ready(self) -> None:
        try:
            with self._lock:
                starts = self._prepare_ready()
            for start in starts:
                start()
        except Exception as error:  # noqa: BLE001 - a job must not hang
            self._fail_job(error)

    def _prepare_ready(self) -> list[Callable[[], object]]:
        """Prepare the nodes that are ready; returns what starts them, outside of the lock."""
        starts: list[Callable[[], object]] = []
        while self._ended is None:
            if self._execution.ready:
                state = self._execution.ready.popleft()
                start = self._prepare(state) if state.status is NodeStatus.REQUESTED else None
                if start is not None:
                    starts.append(start)
            elif not self._execution.open_targets:
                self._succeed()
            elif self._is_stuck():
                self._fail_cycle()
            else:
                break
        return starts

    def _is_stuck(self) -> bool:
        """Whether all running calls wait for inputs that nothing computes."""
        states, calls = self._execution.states, self._calls.items()
        waiting = all(0 < call.remaining == states[id].awaiting_calls for id, call in calls)
        return waiting and not self._in_flight_elsewhere

    def _prepare(self, state: NodeState) -> Callable[[], object] | None:
        if state.pending_result is not None:
            self._complete_expansion(state, state.pending_result)
            return None
        if self._is_cached_or_in_flight(state):
            return None
        spec = state.node.spec
        needs = None if state.needs_satisfied else spec.check_lazy_status
        needs = needs if needs is not None and unrequested_inputs(state) else None
        given = self._inputs.collect(state)
        call = NodeInvocation(
            self._context,
            state.node,
            needs or spec.function,
            given,
            map_over_lists(state.node, given),
            on_start=partial(self._emit_started, state),
            on_done=partial(self._on_call_done, state),
        )
        if needs is None or not call.remaining:
            self._emit_blocked(state, call)
        if not call.remaining:
            self._emit_started(state)
            self._complete(state, merge_results(spec, call.calls, call.returned), {})
            return None
        self._calls[state.node.id] = call
        if call.in_loop:
            return partial(self._outbox.spawn, call.run_in_loop)
        return self._inline.add(state, call) if self._inline.accepts(call) else call.submit

    def _is_cached_or_in_flight(self, state: NodeState) -> bool:
        """Whether an equal node computes the result now, or has since it was requested."""
        retry = partial(self._outbox.call_soon, partial(self._retry, state))
        if not self._results.acquire(state, retry):
            self._in_flight_elsewhere += 1
            return True
        known = self._results.find(state)
        if known is not None:
            self._release(state)
            self._execution.complete(state, known)
        return known is not None

    def _retry(self, state: NodeState) -> None:
        with self._lock:
            self._in_flight_elsewhere -= 1
            self._execution.ready.append(state)
        self._advance()

    def _run_inline(self, device: str, state: NodeState, call: NodeInvocation) -> None:
        self._outbox.flush_if_due()
        call.run_inline(device)
        self._handle_call(state, call)
        self._start_ready()

    def _emit_started(self, state: NodeState, now: bool = False) -> None:
        if not state.started:
            state.started = True
            self._outbox.enqueue(events.NodeStarted.in_this_thread(state.node.id))
        if now:
            self._outbox.flush()

    def _on_call_done(self, state: NodeState, call: NodeInvocation) -> None:
        self._handle_call(state, call)
        self._advance()

    def _handle_call(self, state: NodeState, call: NodeInvocation) -> None:
        """Process what a call returned; an error there fails the job."""
        try:
            self._process_call(state, call)
        except Exception as error:  # noqa: BLE001 - a job must not hang
            self._fail_job(error)
        self._results.release_if_ended(state)

    def _process_call(self, state: NodeState, call: NodeInvocation) -> None:
        state.seconds += call.seconds
        if call.error is not None:
            self._on_node_error(state, call, call.error)
            return
        if call.is_needs_call:
            self._process_needs(state, call)
            return
        self._worker.durations[state.node.spec.id] = call.seconds
        if any(isinstance(item, Expansion) for item in call.returned):
            self._outbox.spawn(partial(self._expand, state, call))
            return
        try:
            result = merge_results(state.node.spec, call.calls, call.returned, call.warnings)
            shown = failures.to_plain_data(result.shown or {})
        except Exception as error:  # noqa: BLE001 - a node may return anything
            self._on_node_error(state, call, error)
            return
        if self._results.store(state, result):
            with self._lock:
                self._complete(state, result, shown)
        else:
            self._outbox.spawn(partial(self._save, state, result, shown))

    async def _save(self, state: NodeState, result: NodeResult, shown: Shown) -> None:
        await self._results.save(state, result)
        with self._lock:
            self._complete(state, result, shown)
        self._advance()

    def _release(self, state: NodeState) -> None:
        """Nothing runs for the node any more; the job's lock is held."""
        self._calls.pop(state.node.id, None)
        self._results.release(state)

    def _complete(self, state: NodeState, result: NodeResult, shown: Shown) -> None:
        """The node is done; the job's lock is held."""
        id = state.node.id
        self._release(state)
        self._executed.append(id)
        if shown:
            self._outbox.enqueue(events.NodeOutput(id, shown))
        self._outbox.enqueue(events.NodeFinished(id, cached=False, seconds=state.seconds))
        self._execution.complete(state, result)

    def _process_needs(self, state: NodeState, call: NodeInvocation) -> None:
        """Request the inputs that `needs` returned; if there are none, the node is ready."""
        if any(map(inspect.isawaitable, call.returned)):
            self._outbox.spawn(partial(self._await_needs, state, call))
            return
        named = {name for names in call.returned for name in names or ()}
        with self._lock:
            del self._calls[state.node.id]
            requested = named.intersection(unrequested_inputs(state))
            state.requested_inputs |= requested
            state.needs_satisfied = not requested
            links = state.requested_links().values()
            self._execution.wait_for(state, [self._execution.states[link.node] for link in links])

    async def _await_needs(self, state: NodeState, call: NodeInvocation) -> None:
        await call.await_returned()
        self._on_call_done(state, call)

    async def _expand(self, state: NodeState, call: NodeInvocation) -> None:
        """Add the expansion of a node to the execution graph; the node is done when that is."""
        try:
            registry = self._worker.registry
            expansion = read_expansions(state.node, call.returned, registry, self._nodes)
            result = merge_results(state.node.spec, call.calls, expansion.returned, call.warnings)
            failures.to_plain_data(result.shown or {})
            states = self._execution.states
            older = self._graph.ordered(id for id in expansion.outside if id not in states)
            prints = await fingerprints([*older, *expansion.nodes])
        except CycleError as error:
            with self._lock:
                self._fail_node(state, failures.of_cycle(error.nodes, state, self._executed))
        except Exception as error:  # noqa: BLE001 - a node may return anything
            self._on_node_error(state, call, error)
        else:
            with self._lock:
                self._release(state)
                older = [node for node in older if node.id not in states]
                self._keys.add(older, prints)
                self._keys.add(expansion.nodes, prints, state.node)
                keys, new = self._keys.made, {node.id: node for node in expansion.nodes}
                self._execution.add(older, keys)
                self._results.add_expansion(self._job.id, state.key, [keys[id] for id in new])
                self._nodes.update(new)
                self._parents.update(dict.fromkeys(new, state.node.id))
                whole, gone = self._results.find_expansion_outputs(expansion.nodes, keys)
                display = self._execution.expand(state, expansion, result, keys)
                self._outbox.enqueue(events.NodeExpanded(state.node.id, display))
                self._results.replay_expansion_outputs(whole, states)
                self._execution.add_targets(*gone)
        self._advance()

    def _complete_expansion(self, state: NodeState, pending: NodeResult) -> None:
        """Complete a node whose expansion is done."""
        result = resolve(pending, partial(link_items, self._execution))
        self._results.store_expanded(state, result)
        self._complete(state, result, failures.to_plain_data(result.shown or {}))
        for id in dict.fromkeys(link.node for link in placeholders(pending.outputs)):
            self._execution.release(self._execution.states[id])

    def _emit_blocked(self, state: NodeState, call: NodeInvocation) -> None:
        for arguments in call.calls:
            if isinstance(arguments, Blocked) and arguments.message is not None:
                self._emit_started(state)
                failure = failures.of_blocked(state, arguments, self._executed)
                self._outbox.enqueue(events.NodeFailed(failure))

    def _on_node_error(self, state: NodeState, call: NodeInvocation, error: Exception) -> None:
        """A node raised an error."""
        with self._lock:
            self._release(state)
            if self._ended is not None:
                return
            if isinstance(error, Interrupted):
                self._end("interrupted", failures.of_interrupt([state], self._executed))
            elif isinstance(error, SourceFailed):
                self._execution.fail(state)
            else:
                log.error("node %s failed", state, exc_info=error)
                done, home = self._executed, self._worker.folders
                self._fail_node(state, failures.of_node(state, call.inputs, error, done, home))

    def _fail_cycle(self) -> None:
        """Nodes wait for each other in a cycle, made by an expansion."""
        ids, blamed = self._execution.find_cycle()
        self._fail_node(blamed, failures.of_cycle(ids, blamed, self._executed))

    def _fail_node(self, state: NodeState, failure: Failure) -> None:
        """Fail the job, or continue without the node and what needs it; the job's lock is held."""
        self._release(state)
        self._failures.append(failure)
        if self._continues_on_failure:
            self._outbox.enqueue(events.NodeFailed(failure))
            self._execution.fail(state)
        else:
            self._end("error", failure)

    def _succeed(self) -> None:
        """Every target is done, or has failed while the job continued."""
        if not self._failures:
            self._results.finish()
            self._end("success")
            return
        outcome = failures.partial_result(self._execution, self._failures)
        if outcome.successful_outputs:
            self._end("success", partial=outcome)
        else:
            self._end("error", self._failures[0])

    def _fail_job(self, error: Exception) -> None:
        """An error outside of the nodes fails the job."""
        log.error("job %s failed outside of its nodes", self._job.id, exc_info=error)
        with self._lock:
            self._end("error", failures.of_job(error, self._executed))
        self._close()

    def _end(
        self, status: Status, failure: Failure | None = None, partial: Partial | None = None
    ) -> None:
        """Set how the job ended, once; the job's lock is held."""
        if self._ended is None:
            self._ended = events.JobFinished(status, events.now_ms(), failure, partial)
            self._results.end_job(self._job.id, self._calls)

    def _close(self) -> None:
        """If the job has ended, emit that and close the outbox."""
        if self._ended is not None and self._outbox.close(self._ended):
            self._context.cancelled.set()
            self._on_closed(bool(self._calls))
