"""What a job waits for: effects that are not answered yet; and the keys that its nodes hold."""

from __future__ import annotations

from engine.run.execution_graph import NodeState, NodeStatus

RUNS = frozenset({NodeStatus.RUNNING, NodeStatus.SAVING, NodeStatus.EXPANDING})


class Outstanding:
    """The nodes of a job with an effect that is not answered, and those that hold their keys.

    Attributes:
        nodes: by id those with an effect that is not answered.
        lookups: how many of them wait for the cache.
        holding: by id those that hold their keys.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, NodeState] = {}
        self.lookups = 0
        self.holding: dict[str, NodeState] = {}

    def answered(self, id: str, *expected: NodeStatus) -> NodeState | None:
        """The node whose effect is answered; None for an answer that nobody waits for."""
        state = self.nodes.get(id)
        if state is None or state.status not in expected:
            return None
        del self.nodes[id]
        return state

    def running(self) -> list[NodeState]:
        """The nodes that run, or whose results are read or written."""
        return [state for state in self.nodes.values() if state.status in RUNS]

    def may_be_deadlock(self) -> bool:
        """Whether nothing but waiting is under way.

        Who holds a key that is waited for may be suspended in this job, or may wait itself for a
        key that is held here, so a cycle through suspended nodes is not left until the key is
        acquired.
        """
        waits_for_key = suspended = False
        for state in self.nodes.values():
            if state.status is NodeStatus.ACQUIRING:
                waits_for_key = True
            elif state.is_suspended:
                suspended = True
            else:
                return False
        return suspended or not waits_for_key

    def hold_key(self, state: NodeState) -> None:
        """The node holds its key from now on."""
        state.holds_key = True
        self.holding[state.node.id] = state

    def drop_key(self, state: NodeState) -> bool:
        """The node does not hold its key any more; whether it did."""
        held, state.holds_key = state.holds_key, False
        self.holding.pop(state.node.id, None)
        return held
