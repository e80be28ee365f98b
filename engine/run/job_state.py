"""The state machine of one job: messages in, effects out.

It is a plain value: no I/O, no clock, no lock, no thread, no callback. `run.executor` performs its
effects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from msgspec.structs import replace

from engine.graph.prompt import GraphNode
from engine.run import failures, messages
from engine.run.events import NodeExpanded, NodeFailed
from engine.run.execution_graph import ExecutionGraph, NodeState, NodeStatus
from engine.run.inputs import collect_inputs, unrequested_inputs
from engine.run.job_report import JobReport, Shown
from engine.run.list_mapping import map_over_lists, merge_results, resolve
from engine.run.messages import Effect, Message
from engine.run.outstanding import Outstanding
from engine.store.cache import MIN_SAVE_SECONDS, NodeResult
from engine.store.history import Failure, Partial, Status

NOTHING: frozenset[str] = frozenset()


class JobState:
    """The state of a job, from its plan to its end.

    Args:
        outputs: ids of the output nodes to run.
        continues: whether the job continues after the failure of a node, without what needs it.

    Attributes:
        ended: whether the job is over; messages that come later only release keys.
    """

    def __init__(self, outputs: Sequence[str], *, continues: bool) -> None:
        self.ended = False
        self._outputs = outputs
        self._continues = continues
        self._graph = ExecutionGraph()
        self._report = JobReport()
        self._outstanding = Outstanding()
        self._missing = NOTHING  # what the cache has not, just now
        self._saving: dict[str, tuple[NodeResult, Shown]] = {}
        self._expanded: list[tuple[NodeState, NodeResult]] = []  # kept when the job succeeds

    def on(self, message: Message) -> list[Effect]:
        """Process a message; returns the effects to perform, in this order."""
        effects = self._report.effects = []
        if self.ended:
            self._process_late(message)
        else:
            self._handlers[type(message)](self, message)
            self._advance()
            self._missing = NOTHING
        return effects

    def _process_late(self, message: Message) -> None:
        """The job is over: keep a result that comes all the same, release the node's key."""
        holding = self._outstanding.holding
        match message:
            case messages.KeyTaken(node) | messages.KeyAcquired(node, NodeResult()):
                self._outstanding.drop_key(self._graph.states[node])
            case messages.KeyAcquired(node, None):
                self._ask(messages.ReleaseKey(self._graph.states[node].key))
            case messages.NodeReturned(node, result, _, seconds) if node in holding:
                state = holding[node]
                state.seconds += seconds
                self._save(state, result)
                self._release(state)
            case messages.GraphReturned(GraphNode(id=node)) if node in holding:
                self._release(holding[node])
            case (
                messages.NodeRaised(node)
                | messages.NodeInterrupted(node)
                | messages.SourceLost(node)
            ) if node in holding:
                self._release(holding[node])
            case _:
                pass

    def _on_planned(self, message: messages.JobPlanned) -> None:
        self._report.emit(message.started)
        self._graph.add(message.nodes, message.keys)
        self._add_surveyed(message.nodes, message.survey, self._outputs)

    def _add_surveyed(
        self, nodes: Iterable[GraphNode], survey: messages.Survey, targets: Sequence[str] = ()
    ) -> None:
        self._missing = frozenset(node.id for node in nodes).difference(survey.cached)
        for id, result in survey.replays.items():
            self._report.cached(self._graph.states[id], result)
        for id in (*targets, *survey.gone):
            self._graph.add_target(id)

    def _on_cancelled(self, message: messages.JobCancelled) -> None:
        runs = self._outstanding.running()
        began = [state for state in runs if state.node.id in message.started]
        self._end("interrupted", self._report.interrupted(began))

    def _on_broken(self, message: messages.JobBroken) -> None:
        self._end("error", failures.of_job(message.error, self._report.executed))

    def _advance(self) -> None:
        """Ask for what can be done now; find out whether the job is over."""
        graph = self._graph
        while not self.ended:
            if graph.settled_requests or graph.failed:
                self._answer_requests()
            elif graph.requested:
                self._look_up(graph.requested.popleft())
            elif self._outstanding.lookups:
                return  # what is cached is known before anything runs
            elif not graph.open_targets:
                self._succeed()
            elif graph.ready:
                self._prepare(graph.ready.popleft())
            elif self._outstanding.may_be_deadlock() and (cycle := graph.find_cycle()):
                self._fail_cycle(cycle)
            else:
                return

    def _answer_requests(self) -> None:
        graph = self._graph
        while graph.failed:
            self._release(graph.failed.popleft())
        while graph.settled_requests:
            request = graph.settled_requests.popleft()
            done = graph.states[request.link.node].has_result
            items = graph.link_items(request.link) if done else None
            self._ask(messages.AnswerInput(request.ticket, items))

    def _ask(self, effect: Effect, state: NodeState | None = None) -> None:
        """Ask for an effect; it is outstanding until the node's answer comes, if there is one."""
        if state is not None:
            self._outstanding.nodes[state.node.id] = state
        self._report.effects.append(effect)

    def _look_up(self, state: NodeState) -> None:
        node = state.node
        if node.id in self._missing:
            self._graph.wait_for_links(state)
            return
        self._outstanding.lookups += 1
        self._ask(messages.ReadResult(node.id, state.key, node.spec.is_output), state)

    def _on_read(self, message: messages.ResultRead) -> None:
        state = self._outstanding.answered(message.node, NodeStatus.LOOKING_UP)
        if state is None:
            return
        self._outstanding.lookups -= 1
        if message.result is None:
            self._graph.wait_for_links(state)
        else:
            self._complete_cached(state, message.result)

    def _prepare(self, state: NodeState) -> None:
        """Run a node that is ready, or complete one whose expansion is done."""
        if state.status is not NodeStatus.READY:
            return
        if state.pending_result is not None:
            self._complete_expansion(state, state.pending_result)
        else:
            self._run(state)

    def _on_taken(self, message: messages.KeyTaken) -> None:
        state = self._outstanding.nodes.get(message.node)
        if state is not None:
            self._outstanding.drop_key(state)
            state.status = NodeStatus.ACQUIRING

    def _on_acquired(self, message: messages.KeyAcquired) -> None:
        state = self._outstanding.answered(message.node, NodeStatus.ACQUIRING, NodeStatus.RUNNING)
        if state is None:
            if message.result is None:  # the node failed meanwhile, in a cycle
                self._ask(messages.ReleaseKey(self._graph.states[message.node].key))
            return
        if message.result is not None:
            self._outstanding.drop_key(state)
            self._complete_cached(state, message.result)
            return
        self._outstanding.hold_key(state)
        self._run(state)

    def _run(self, state: NodeState) -> None:
        """Call the node's function, or ask for the lazy inputs that it needs.

        A call in a lane acquires the node's key itself, unless the node holds it; what else happens
        here must not be done twice, so the key is acquired before.
        """
        node, spec = state.node, state.node.spec
        can_ask = spec.check_lazy_status is not None and not state.needs_satisfied
        asks = can_ask and bool(unrequested_inputs(state))
        inputs = collect_inputs(self._graph, state)
        calls = map_over_lists(node, inputs)
        active = sum(isinstance(arguments, dict) for arguments in calls)
        key = None
        if not state.holds_key:
            if asks or spec.kind == "async" or not 0 < active == len(calls):
                state.status = NodeStatus.ACQUIRING
                self._ask(messages.AcquireKey(node.id, state.key, spec.is_output), state)
                return
            key = state.key
            self._outstanding.hold_key(state)
        if not asks or not active:
            self._report.blocked(state, calls)
        if not active:
            self._ask(messages.EmitStarted(node.id))
            self._complete(state, merge_results(spec, calls, [None] * len(calls)), {})
            return
        effect = messages.RunNode(node, inputs, calls, asks, key)
        state.status, state.active_calls = NodeStatus.RUNNING, active
        state.in_lane = not effect.in_loop and not asks
        self._ask(effect, state)

    def _on_call_ended(self, message: messages.CallEnded) -> None:
        state = self._outstanding.nodes.get(message.node)
        if state is not None:
            state.active_calls -= 1

    def _on_awaited(self, message: messages.InputAwaited) -> None:
        state = self._outstanding.nodes.get(message.node)
        if state is not None and state.status is NodeStatus.RUNNING:
            self._graph.await_input(state, message.request)

    def _on_input_abandoned(self, message: messages.InputAbandoned) -> None:
        state = self._outstanding.nodes.get(message.node)
        if state is not None:
            state.abandon(message.ticket)

    def _on_returned(self, message: messages.NodeReturned) -> None:
        state = self._outstanding.answered(message.node, NodeStatus.RUNNING)
        if state is not None:
            state.seconds += message.seconds
            self._keep(state, message.result, message.shown)

    def _keep(self, state: NodeState, result: NodeResult, shown: Shown) -> None:
        """Keep the result of a node; a slow one is done when a crash does not lose its result."""
        if state.seconds < MIN_SAVE_SECONDS:
            self._save(state, result)
            self._complete(state, result, shown)
        else:
            state.status = NodeStatus.SAVING
            self._saving[state.node.id] = result, shown
            self._save(state, result, awaited=True)

    def _save(self, state: NodeState, result: NodeResult, *, awaited: bool = False) -> None:
        id, seconds = state.node.id, state.seconds
        effect = messages.SaveResult(id, state.key, result, seconds, awaited)
        self._ask(effect, state if awaited else None)

    def _on_saved(self, message: messages.ResultSaved) -> None:
        state = self._outstanding.answered(message.node, NodeStatus.SAVING)
        if state is not None:
            self._complete(state, *self._saving.pop(message.node))

    def _on_inputs_requested(self, message: messages.InputsRequested) -> None:
        state = self._outstanding.answered(message.node, NodeStatus.RUNNING)
        if state is not None:
            state.seconds += message.seconds
            requested = message.names.intersection(unrequested_inputs(state))
            state.requested_inputs |= requested
            state.needs_satisfied = not requested
            self._graph.wait_for_links(state)

    def _on_graph_returned(self, message: messages.GraphReturned) -> None:
        state = self._outstanding.answered(message.node.id, NodeStatus.RUNNING)
        if state is not None:
            state.seconds += message.seconds
            state.status = NodeStatus.EXPANDING
            self._ask(messages.ReadExpansion(state.key, message), state)

    def _on_graph_read(self, message: messages.GraphRead) -> None:
        state = self._outstanding.answered(message.node, NodeStatus.EXPANDING)
        if state is None:
            return
        self._release(state)
        graph = self._graph
        graph.add([node for node in message.older if node.id not in graph.states], message.keys)
        display = graph.expand(state, message.expansion, message.result, message.keys)
        self._report.emit(NodeExpanded(state.node.id, display))
        self._add_surveyed(message.expansion.nodes, message.survey)

    def _complete_expansion(self, state: NodeState, pending: NodeResult) -> None:
        """The expansion of a node is done.

        A result with output nodes in its expansion is kept when the job succeeds, with the record
        of what they showed. Iterations of a loop are nested expansions: only the outer ones are
        recorded.
        """
        result = resolve(pending, self._graph.link_items)
        shown = failures.to_plain_data(result.shown or {})
        if not state.shows_in_expansion:
            self._keep(state, result, shown)
            return
        if state.is_recorded:
            self._expanded.append((state, result))
        self._complete(state, result, shown)

    def _complete(self, state: NodeState, result: NodeResult, shown: Shown) -> None:
        """The node is done."""
        self._release(state)
        self._report.finished(state, result, shown)
        self._graph.complete(state, result)

    def _complete_cached(self, state: NodeState, result: NodeResult) -> None:
        """The result of the node was in the cache."""
        self._report.cached(state, result)
        if result.nested_shown is not None:
            result = replace(result, nested_shown=None)
        self._graph.complete(state, result)

    def _on_raised(self, message: messages.NodeRaised) -> None:
        state = self._outstanding.answered(message.node, NodeStatus.RUNNING, NodeStatus.EXPANDING)
        if state is not None:
            self._fail_node(state, message.failure)

    def _on_cycle(self, message: messages.CycleFound) -> None:
        state = self._outstanding.answered(message.node, NodeStatus.EXPANDING)
        if state is not None:
            self._fail_node(state, failures.of_cycle(message.cycle, state))

    def _on_interrupted(self, message: messages.NodeInterrupted) -> None:
        state = self._outstanding.answered(message.node, NodeStatus.RUNNING)
        if state is not None:
            self._release(state)
            self._end("interrupted", self._report.interrupted([state]))

    def _on_source_lost(self, message: messages.SourceLost) -> None:
        state = self._outstanding.answered(message.node, NodeStatus.RUNNING)
        if state is not None:
            self._graph.fail(state)

    def _fail_cycle(self, cycle: list[NodeState]) -> None:
        """An expansion made nodes wait in a cycle."""
        blamed = next((state for state in cycle if state.pending_result is not None), cycle[0])
        self._outstanding.nodes.pop(blamed.node.id, None)
        self._fail_node(blamed, failures.of_cycle([state.node.id for state in cycle], blamed))

    def _fail_node(self, state: NodeState, failure: Failure) -> None:
        """Fail the job, or continue without the node and what needs it."""
        self._release(state)
        failure = self._report.failed(state, failure)
        if self._continues:
            self._report.emit(NodeFailed(failure))
            self._graph.fail(state)
        else:
            self._end("error", failure)

    def _succeed(self) -> None:
        """Every target is done, or has failed while the job continued."""
        if not self._report.failures:
            for state, result in self._expanded:
                self._save(state, replace(result, nested_shown=state.nested_shown))
        self._end(*self._report.outcome(self._graph))

    def _end(
        self, status: Status, failure: Failure | None = None, partial: Partial | None = None
    ) -> None:
        """End the job; keys are released, but not those of nodes that still run in a lane.

        An interrupted node runs on for a while: an equal one of the next job waits until then.
        """
        self.ended = True
        for state in [*self._outstanding.holding.values()]:
            if not (state.in_lane and state.status is NodeStatus.RUNNING):
                self._release(state)
        runs = bool(self._outstanding.running())
        self._ask(messages.EndJob(status, failure, partial, nodes_may_run=runs))

    def _release(self, state: NodeState) -> None:
        """Release the key of a node: its result is computed, or will not be."""
        if self._outstanding.drop_key(state):
            self._ask(messages.ReleaseKey(state.key))

    _handlers: ClassVar[Mapping[type[Message], Callable[..., None]]] = {
        messages.JobPlanned: _on_planned,
        messages.JobCancelled: _on_cancelled,
        messages.JobBroken: _on_broken,
        messages.ResultRead: _on_read,
        messages.KeyTaken: _on_taken,
        messages.KeyAcquired: _on_acquired,
        messages.NodeReturned: _on_returned,
        messages.GraphReturned: _on_graph_returned,
        messages.InputsRequested: _on_inputs_requested,
        messages.NodeRaised: _on_raised,
        messages.CycleFound: _on_cycle,
        messages.NodeInterrupted: _on_interrupted,
        messages.SourceLost: _on_source_lost,
        messages.CallEnded: _on_call_ended,
        messages.InputAwaited: _on_awaited,
        messages.InputAbandoned: _on_input_abandoned,
        messages.GraphRead: _on_graph_read,
        messages.ResultSaved: _on_saved,
    }
