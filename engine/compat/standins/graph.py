"""`comfy_execution`: building the graphs that a node expands to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from engine.authoring.errors import SoundstageError
from engine.authoring.protocols import Blocked
from engine.compat.call import CURRENT
from engine.graph.prompt import GraphNode

Entry = dict[str, Any]


class NodeNotFoundError(SoundstageError):
    """A graph has no node of that id."""


class DependencyCycleError(SoundstageError):
    """A graph needs itself."""


def is_link(value: Any) -> bool:
    """Whether a value is a link, ``["12", 0]``."""
    match value:
        case [str(), int() | float() as slot] if isinstance(value, list):
            return not isinstance(slot, bool)
        case _:
            return False


class Node:
    """One node of a graph that is being built.

    Args:
        id: with the graph's prefix.
        class_type: as in a prompt.
        inputs: values, and links that `out` made.
    """

    def __init__(self, id: str, class_type: str, inputs: dict[str, Any]) -> None:
        self.id = id
        self.class_type = class_type
        self.inputs = inputs
        self.override_display_id: str | None = None

    def out(self, index: int) -> list[Any]:
        """A link to one of its outputs."""
        return [self.id, index]

    def set_input(self, key: str, value: Any) -> None:
        """Give an input; None takes it away."""
        if value is None:
            self.inputs.pop(key, None)
        else:
            self.inputs[key] = value

    def get_input(self, key: str) -> Any:
        """What an input was given, if it was."""
        return self.inputs.get(key)

    def set_override_display_id(self, override_display_id: str) -> None:
        """Events of this node name another one, that the user sees."""
        self.override_display_id = override_display_id

    def serialize(self) -> Entry:
        """As it stands in a prompt."""
        entry: Entry = {"class_type": self.class_type, "inputs": dict(self.inputs)}
        if self.override_display_id is not None:
            entry["override_display_id"] = self.override_display_id
        return entry


class GraphBuilder:
    """Builds a graph whose node ids nobody else uses.

    Args:
        prefix: of the ids; by default one made of the node that runs.
    """

    def __init__(self, prefix: str | None = None) -> None:
        call = CURRENT.get()
        if prefix is None:
            prefix = call.prefix() if call is not None else ""
        self.prefix = prefix
        self.nodes: dict[str, Node] = {}
        self._made = 0

    def node(self, class_type: str, id: str | None = None, **kwargs: Any) -> Node:
        """A new node, or the one that has this id already."""
        if id is None:
            self._made += 1
            id = str(self._made)
        name = self.prefix + id
        if name not in self.nodes:
            self.nodes[name] = Node(name, class_type, dict(kwargs))
        return self.nodes[name]

    def lookup_node(self, id: str) -> Node | None:
        """A node by the id it was made with."""
        return self.nodes.get(self.prefix + id)

    def replace_node_output(self, node_id: str, index: int, new_value: Any) -> None:
        """Give `new_value` wherever this output was linked to; None takes the link away."""
        target = [self.prefix + node_id, index]
        for node in self.nodes.values():
            for name in [name for name, value in node.inputs.items() if value == target]:
                node.set_input(name, new_value)

    def remove_node(self, id: str) -> None:
        """Take a node out."""
        self.nodes.pop(self.prefix + id, None)

    def finalize(self) -> dict[str, Entry]:
        """The graph in prompt format: what goes under "expand"."""
        return {node.id: node.serialize() for node in self.nodes.values()}


def add_graph_prefix(
    graph: Mapping[str, Entry], outputs: list[Any] | tuple[Any, ...], prefix: str
) -> tuple[dict[str, Entry], tuple[Any, ...]]:
    """A graph and links into it with another prefix before every id."""

    def moved(value: Any) -> Any:
        return [prefix + value[0], value[1]] if is_link(value) else value

    nodes: dict[str, Entry] = {
        prefix + id: {
            **entry,
            "inputs": {name: moved(value) for name, value in entry.get("inputs", {}).items()},
        }
        for id, entry in graph.items()
    }
    return nodes, tuple(moved(value) for value in outputs)


class DynamicPrompt:
    """The hidden input DYNPROMPT: the prompt, and what nodes of it expanded to so far.

    Args:
        original: the prompt as it was submitted.
        ephemeral: nodes that came by expansion.
        parents: for each of those, the node that made it.
    """

    def __init__(
        self,
        original: Mapping[str, Any],
        ephemeral: Mapping[str, Any] | None = None,
        parents: Mapping[str, str] | None = None,
    ) -> None:
        self.original_prompt = original
        self.ephemeral_prompt = ephemeral or {}
        self.ephemeral_parents = parents or {}

    def get_node(self, node_id: str) -> Any:
        """A node's entry in the prompt.

        Raises:
            NodeNotFoundError: there is none of this id.
        """
        for prompt in (self.ephemeral_prompt, self.original_prompt):
            if node_id in prompt:
                return prompt[node_id]
        raise NodeNotFoundError(f"Node {node_id} not found")

    def has_node(self, node_id: str) -> bool:
        """Whether there is a node of this id."""
        return node_id in self.original_prompt or node_id in self.ephemeral_prompt

    def get_real_node_id(self, node_id: str) -> str:
        """The node of the submitted prompt that this one stems from."""
        while node_id in self.ephemeral_parents:
            node_id = self.ephemeral_parents[node_id]
        return node_id

    def get_parent_node_id(self, node_id: str) -> str | None:
        """The node that expanded to this one."""
        return self.ephemeral_parents.get(node_id)

    def get_display_node_id(self, node_id: str) -> str:
        """The node that events name in the place of this one."""
        return self.get_real_node_id(node_id)

    def all_node_ids(self) -> set[str]:
        """Every node there is now."""
        return {*self.original_prompt, *self.ephemeral_prompt}

    def get_original_prompt(self) -> Mapping[str, Any]:
        """The prompt as it was submitted."""
        return self.original_prompt


class LiveGraph(Mapping[str, Entry]):
    """The nodes of a job that came by expansion, as a prompt has them.

    Args:
        nodes: all nodes of the job.
        grown: ids of those that came by expansion.
    """

    def __init__(self, nodes: Mapping[str, GraphNode], grown: Mapping[str, str]) -> None:
        self._nodes = nodes
        self._grown = grown

    def __getitem__(self, id: str) -> Entry:
        if id not in self._grown:
            raise KeyError(id)
        node = self._nodes[id]
        links = {name: [link.node, link.slot] for name, link in node.links.items()}
        return {"class_type": node.spec.id, "inputs": {**node.literals, **links}}

    def __iter__(self) -> Iterator[str]:
        return iter([*self._grown])  # a copy, as the job grows meanwhile

    def __len__(self) -> int:
        return len(self._grown)


@dataclass(frozen=True)
class ExecutionContext:
    """What runs now.

    Attributes:
        list_index: which of the node's runs over a list it is.
    """

    prompt_id: str
    node_id: str
    list_index: int


def get_executing_context() -> ExecutionContext | None:
    """What runs in this thread or task; None outside of a node."""
    call = CURRENT.get()
    return None if call is None else ExecutionContext(call.run.job, call.run.node, call.run.turn)


def comfy_execution() -> dict[str, ModuleType]:
    """The package and its modules by name."""
    package = ModuleType("comfy_execution")
    package.__path__ = []
    utils = ModuleType("comfy_execution.graph_utils")
    vars(utils).update(
        GraphBuilder=GraphBuilder,
        Node=Node,
        ExecutionBlocker=Blocked,
        is_link=is_link,
        add_graph_prefix=add_graph_prefix,
    )
    graph = ModuleType("comfy_execution.graph")
    vars(graph).update(
        DynamicPrompt=DynamicPrompt,
        ExecutionBlocker=Blocked,
        NodeNotFoundError=NodeNotFoundError,
        DependencyCycleError=DependencyCycleError,
        is_link=is_link,
    )
    context = ModuleType("comfy_execution.utils")
    vars(context).update(
        ExecutionContext=ExecutionContext, get_executing_context=get_executing_context
    )
    vars(package).update(graph_utils=utils, graph=graph, utils=context)
    return {module.__name__: module for module in (package, utils, graph, context)}
