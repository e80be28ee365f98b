"""Executes one job: a driver that performs the effects of the job's state machine.

Messages to the machine go into a mailbox, from any thread; whoever finds the mailbox idle empties
it, so that a node that ends is followed by the next one without a change of threads. No lock is
held while an effect is performed, and effects wait for nothing: what reads the disk, writes much
to it, or runs a node, is done elsewhere and answered by a message.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from inspect import isawaitable
from typing import Any, ClassVar, get_args

from engine.authoring.errors import Interrupted
from engine.authoring.protocols import Expansion
from engine.graph.keys import CacheKeys, fingerprints, has_fingerprint
from engine.graph.prompt import Graph, GraphNode, Link
from engine.graph.topological_sort import CycleError
from engine.run import events, failures, messages
from engine.run.context import JobContext, WorkerContext
from engine.run.events import Event
from engine.run.execution_graph import InputRequest
from engine.run.expand import read_expansions
from engine.run.inline_runner import InlineRunner
from engine.run.inputs import SourceFailed, with_lazy_inputs
from engine.run.invocation import NodeInvocation
from engine.run.job_results import JobResults
from engine.run.job_state import JobState
from engine.run.list_mapping import merge_results
from engine.run.messages import Effect, Message
from engine.run.outbox import ClosedHandler, EventOutbox, EventSink
from engine.store.history import Job

log = logging.getLogger(__name__)

CONTINUE = "continue_independent"


class JobRun:
    """The execution of one job in a worker. `flush` sends the queued events now.

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
        self._outbox = EventOutbox(worker.loop, on_events, self._break)
        self.flush = self._outbox.flush
        self._on_closed = on_closed
        self._nodes: dict[str, GraphNode] = {}
        self._parents: dict[str, str] = {}
        self._context = JobContext(worker, job, self._outbox.emit, self._nodes, self._parents)
        self._graph = Graph({})
        self._keys = CacheKeys(f"{job.id} {job.created}", worker.folders)  # an id may be used again
        self._results = JobResults(worker, job.id)
        continues = job.extra.get("node_failure_policy") == CONTINUE
        self._state = JobState(job.outputs, continues=continues)
        self._mailbox: deque[Message] = deque()
        self._draining = threading.Lock()
        self._inline = InlineRunner(self._context, self._run_inline, self._settle)
        self._started: set[str] = set()
        self._tickets = itertools.count()
        self._awaiting: dict[int, asyncio.Future[list[Any] | None]] = {}
        self._expanding = asyncio.Lock()  # new nodes may link to those of the one before

    def begin(self, run_inline: bool = False) -> None:
        """Start the job; with `run_inline` this thread runs the quick nodes it begins with."""
        if run_inline:
            self._inline.reserve()
        try:
            self._graph = Graph.of(self._job.prompt, self._worker.registry)
            self._nodes.update(self._graph.nodes)
            nodes = self._graph.ordered(self._job.outputs)
            if any(map(has_fingerprint, nodes)):
                self._outbox.spawn(partial(self._plan_with_fingerprints, nodes))
            else:
                self._plan(nodes, {})
        except Exception as error:  # noqa: BLE001 - whatever it is, the job ends
            self._break(error)
        if run_inline:
            self._inline.serve("cpu")
        else:
            self._settle()

    def cancel(self) -> None:
        """Interrupt the job."""
        self._post(messages.JobCancelled(frozenset(self._started)))

    def holds_thread(self) -> bool:
        """Whether code of a node still runs in a lane, or in the thread that reads frames."""
        return self._inline.is_running or self._worker.lanes.are_held_by(self._context.cancelled)

    async def _plan_with_fingerprints(self, nodes: list[GraphNode]) -> None:
        self._plan(nodes, await fingerprints(nodes))
        self._settle()

    def _plan(self, nodes: list[GraphNode], prints: Mapping[str, object]) -> None:
        self._keys.add(nodes, prints)
        keys = self._keys.made
        self._results.begin_job(keys.values())
        if self._results.reads_to_survey(nodes, keys):
            self._in_thread(partial(self._planned, nodes))
        else:
            self._put(self._planned(nodes))

    def _planned(self, nodes: list[GraphNode]) -> Message:
        survey = self._results.survey(nodes, self._keys.made)
        started = events.JobStarted(survey.cached, events.now_ms())
        return messages.JobPlanned(nodes, self._keys.made, survey, started)

    def _post(self, message: Message) -> None:
        """Process a message, from any thread, and send the events."""
        self._put(message)
        self._settle()

    def _put(self, message: Message) -> None:
        """Process a message, here or in the thread that processes another one now."""
        self._mailbox.append(message)
        while self._mailbox and self._draining.acquire(blocking=False):
            try:
                while self._mailbox:
                    self._process(self._mailbox.popleft())
            finally:
                self._draining.release()

    def _settle(self) -> None:
        """Start quick nodes, send the events, save what must survive a crash."""
        self._inline.start()
        self._outbox.flush()
        self._results.flush()

    def _process(self, message: Message) -> None:
        """Process a message, and then the answers to its effects that come at once."""
        waiting = [message]
        while waiting:
            try:
                answers: list[Message] = []
                for effect in self._state.on(waiting.pop()):
                    answer = self._perform[type(effect)](self, effect)
                    if answer is not None:
                        answers.append(answer)
                if answers:
                    waiting += reversed(answers)
            except Exception as error:  # noqa: BLE001 - a job must not hang
                self._break(error)

    def _break(self, error: Exception) -> None:
        """An error outside of the nodes fails the job."""
        log.error("job %s failed outside of its nodes", self._job.id, exc_info=error)
        self._put(messages.JobBroken(error))

    def _in_thread(self, work: Callable[[], Message]) -> None:
        """Let a thread for the disk do some work, and post its answer."""

        def run() -> None:
            try:
                self._post(work())
            except Exception as error:  # noqa: BLE001 - a job must not hang
                self._break(error)

        self._worker.disk.submit(run)

    def _read(self, effect: messages.ReadResult) -> Message | None:
        if self._results.must_read(effect.key):
            self._in_thread(partial(self._find, effect))
            return None
        return self._find(effect)

    def _find(self, effect: messages.ReadResult) -> Message:
        return messages.ResultRead(effect.node, self._results.find(effect.key, effect.shows))

    def _acquire(self, effect: messages.AcquireKey) -> messages.KeyAcquired | None:
        retry = partial(self._outbox.call_soon, partial(self._acquire_again, effect))
        if not self._results.acquire(effect.key, retry):
            return None
        if self._results.must_read(effect.key):
            self._in_thread(partial(self._find_or_hold, effect))
            return None
        return self._find_or_hold(effect)

    def _find_or_hold(self, effect: messages.AcquireKey) -> messages.KeyAcquired:
        """An equal node may have computed the result since it was looked up."""
        found = self._results.find(effect.key, effect.shows)
        if found is not None:
            self._results.release(effect.key)
        return messages.KeyAcquired(effect.node, found)

    def _acquire_again(self, effect: messages.AcquireKey) -> None:
        answer = self._acquire(effect)
        if answer is not None:
            self._post(answer)

    def _release(self, effect: messages.ReleaseKey) -> None:
        self._results.release(effect.key)

    def _run_node(self, effect: messages.RunNode) -> Message | None:
        node, spec, calls = effect.node, effect.node.spec, effect.calls
        if effect.key is not None:
            acquired = self._acquire(messages.AcquireKey(node.id, effect.key, spec.is_output))
            if acquired is None:
                return messages.KeyTaken(node.id)
            if acquired.result is not None:
                return acquired
        if spec.has_lazy_inputs:
            await_items = partial(self._await_items, node.id)
            calls = [with_lazy_inputs(arguments, await_items) for arguments in calls]
        call = NodeInvocation(
            self._context,
            node,
            self._keys.made[node.id],
            spec.function
            if spec.check_lazy_status is None or not effect.asks
            else spec.check_lazy_status,
            effect.inputs,
            calls,
            on_start=self._on_call_start,
            on_call_end=self._on_call_end,
            on_done=self._on_call_done,
        )
        if effect.in_loop:
            self._outbox.spawn(call.run_in_loop)
        elif self._inline.accepts(call):
            self._inline.add(call)
        else:
            call.submit()
        return None

    def _run_inline(self, device: str, call: NodeInvocation) -> None:
        self._outbox.flush_if_due()
        call.run_inline(device)
        answer = self._answer(call)
        if answer is not None:
            self._put(answer)

    def _on_call_start(self, call: NodeInvocation, now: bool) -> None:
        self._emit_started(call.node.id)
        if now:
            self._outbox.flush()

    def _on_call_end(self, call: NodeInvocation) -> None:
        self._post(messages.CallEnded(call.node.id))

    def _on_call_done(self, call: NodeInvocation) -> None:
        answer = self._answer(call)
        if answer is not None:
            self._post(answer)

    def _answer(self, call: NodeInvocation) -> Message | None:
        """What the calls of a node came to; None while the loop awaits what they returned."""
        if call.error is None and call.is_needs_call and any(map(isawaitable, call.returned)):
            self._outbox.spawn(partial(self._await_needs, call))
            return None
        try:
            return self._returned(call) if call.error is None else self._raised(call, call.error)
        except Exception as error:  # noqa: BLE001 - a node may return anything
            return self._raised(call, error)

    async def _await_needs(self, call: NodeInvocation) -> None:
        await call.await_returned()
        self._on_call_done(call)

    def _returned(self, call: NodeInvocation) -> Message:
        id, spec = call.node.id, call.node.spec
        if call.is_needs_call:
            names = frozenset(name for names in call.returned for name in names or ())
            return messages.InputsRequested(id, names, call.seconds)
        self._worker.durations[spec.id] = call.seconds
        if any(isinstance(item, Expansion) for item in call.returned):
            return messages.GraphReturned(
                call.node, call.inputs, call.calls, call.returned, call.warnings, call.seconds
            )
        result = merge_results(spec, call.calls, call.returned, call.warnings)
        shown = failures.to_plain_data(result.shown or {})
        return messages.NodeReturned(id, result, shown, call.seconds)

    def _raised(self, call: NodeInvocation | messages.GraphReturned, error: Exception) -> Message:
        node = call.node
        if isinstance(error, Interrupted):
            return messages.NodeInterrupted(node.id)
        if isinstance(error, SourceFailed):
            return messages.SourceLost(node.id)
        log.error("node %s (%s) failed", node.id, node.spec.id, exc_info=error)
        failure = failures.of_node(node, call.inputs, error, self._worker.folders)
        return messages.NodeRaised(node.id, failure)

    async def _await_items(self, node: str, link: Link, call: int) -> list[Any] | None:
        """The items of an input that a call of a node awaits; None if its source failed."""
        ticket = next(self._tickets)
        answer = self._awaiting[ticket] = self._worker.loop.create_future()
        self._post(messages.InputAwaited(node, InputRequest(ticket, call, link)))
        try:
            return await answer
        except asyncio.CancelledError:
            self._post(messages.InputAbandoned(node, ticket))
            raise
        finally:
            del self._awaiting[ticket]

    def _answer_input(self, effect: messages.AnswerInput) -> None:
        def answer() -> None:
            waiting = self._awaiting.get(effect.ticket)
            if waiting is not None and not waiting.done():
                waiting.set_result(effect.items)

        self._outbox.call_soon(answer)

    def _read_expansion(self, effect: messages.ReadExpansion) -> None:
        self._outbox.spawn(partial(self._expand, effect))

    async def _expand(self, effect: messages.ReadExpansion) -> None:
        async with self._expanding:
            try:
                answer = await self._graph_read(effect)
            except CycleError as error:
                answer = messages.CycleFound(effect.returned.node.id, error.nodes)
            except Exception as error:  # noqa: BLE001 - a node may return anything
                answer = self._raised(effect.returned, error)
            self._post(answer)

    async def _graph_read(self, effect: messages.ReadExpansion) -> Message:
        """Read the graphs that a node returned; make keys of their nodes."""
        given = effect.returned
        node, made, results = given.node, self._keys.made, self._results
        expansion = read_expansions(node, given.returned, self._worker.registry, self._nodes)
        result = merge_results(node.spec, given.calls, expansion.returned, given.warnings)
        failures.to_plain_data(result.shown or {})
        older = self._graph.ordered(id for id in expansion.outside if id not in made)
        older = [each for each in older if each.id not in made]
        prints = await fingerprints([*older, *expansion.nodes])
        self._keys.add(older, prints)
        self._keys.add(expansion.nodes, prints, node)
        results.add_expansion(effect.key, [made[new.id] for new in expansion.nodes])
        self._nodes.update({new.id: new for new in expansion.nodes})
        self._parents.update({new.id: node.id for new in expansion.nodes})
        if results.reads_to_survey(expansion.nodes, made):
            survey = await asyncio.to_thread(results.survey, expansion.nodes, made)
        else:
            survey = results.survey(expansion.nodes, made)
        return messages.GraphRead(node.id, older, expansion, result, made, survey)

    def _save(self, effect: messages.SaveResult) -> Message | None:
        self._results.keep(effect.key, effect.result)
        wanted = self._results.should_save(effect.result, effect.seconds)
        if effect.awaited and wanted:
            self._in_thread(partial(self._saved, effect))
            return None
        if wanted:
            self._results.save_later(effect.key, effect.result)
        return messages.ResultSaved(effect.node) if effect.awaited else None

    def _saved(self, effect: messages.SaveResult) -> Message:
        self._results.save(effect.key, effect.result)
        return messages.ResultSaved(effect.node)

    def _emit(self, event: Event) -> None:
        self._outbox.enqueue(event)

    def _start(self, effect: messages.EmitStarted) -> None:
        self._emit_started(effect.node)

    def _emit_started(self, id: str) -> None:
        if id not in self._started:
            self._started.add(id)
            self._outbox.enqueue(events.NodeStarted.in_this_thread(id))

    def _end(self, effect: messages.EndJob) -> None:
        self._results.end_job()
        at = events.now_ms()
        self._outbox.close(events.JobFinished(effect.status, at, effect.failure, effect.partial))
        self._context.cancelled.set()
        self._on_closed(effect.nodes_may_run)

    _perform: ClassVar[Mapping[type[Effect], Callable[..., Message | None]]] = {
        messages.ReadResult: _read,
        messages.AcquireKey: _acquire,
        messages.ReleaseKey: _release,
        messages.RunNode: _run_node,
        messages.ReadExpansion: _read_expansion,
        messages.SaveResult: _save,
        messages.AnswerInput: _answer_input,
        messages.EmitStarted: _start,
        messages.EndJob: _end,
        **dict.fromkeys(get_args(Event), _emit),
    }
