"""Subgraphs unfolded: each use of one becomes a sheet of its own below the document's sheet.

Old group nodes ("workflow>name") are unfolded the same way; they are made into subgraphs first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from engine.authoring.registry import Registry
from engine.graph.editor import (
    ENTRY,
    EXIT,
    Definition,
    Node,
    Nodes,
    Wires,
    child,
    items,
    unusable,
)
from engine.graph.groups import PREFIXES, as_subgraph
from engine.graph.literals import short
from engine.graph.mending import read_sheet

HOST = "-1"
MOST_PARTS = 250_000
DEEPEST = 50


@dataclass(eq=False)
class Sheet:
    """The document itself, or one use of a subgraph.

    Attributes:
        prefix: before the ids of its nodes in a prompt: "12:7:" in node 7 of node 12.
        parent: the sheet with `host`, the node that stands for this one.
        values: what the host sets its inputs to, by name.
        imposed: what hosts set widgets of nodes to: node id -> widget -> value.
        inside: the sheets of its subgraphs by node id.
    """

    nodes: Nodes
    wires: Wires
    prefix: str = ""
    parent: Sheet | None = None
    host: Node | None = None
    definition: Definition | None = None
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    imposed: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    inside: dict[str, Sheet] = field(default_factory=dict[str, "Sheet"])

    @cached_property
    def given(self) -> dict[str, str]:
        """What the host's linked inputs come by: name -> link of the parent."""
        inputs = self.host.inputs if self.host is not None else []
        return {socket.name: str(socket.link) for socket in inputs if socket.link is not None}

    def describe(self, node: Node) -> str:
        """A node in the words of an error."""
        return f"node {self.prefix}{node.key} ({node.type})"

    def walk(self) -> Iterator[tuple[Sheet, Node]]:
        """Every node that is no subgraph, inner ones in the place of theirs."""
        for node in self.nodes.values():
            if node.key in self.inside:
                yield from self.inside[node.key].walk()
            else:
                yield self, node


def expand_subgraphs(document: Mapping[str, Any], registry: Registry) -> Sheet:
    """The sheet of a document with those of all its subgraphs.

    Args:
        document: a workflow file of the editor.
        registry: has the widgets of each type of node.

    Raises:
        PromptError: it cannot be read, a subgraph contains itself, or there are too many nodes.
    """
    where = "the workflow"
    root = Sheet(*read_sheet(document, where))
    subgraphs = items(child(document, "definitions"), "subgraphs", where)
    definitions = [read_definition(raw, number) for number, raw in enumerate(subgraphs)]
    groups = child(child(document, "extra"), "groupNodes")
    _Unfolding({made.id: made for made in definitions}, groups, registry).unfold(root, [])
    return root


def read_definition(raw: Any, number: int) -> Definition:
    """One subgraph.

    Raises:
        PromptError: naming it.
    """
    if not isinstance(raw, dict):
        raise unusable(f"subgraph number {number} is no object; remove it")
    given = cast("dict[str, Any]", raw)
    name = short(given.get("name") or number)
    where = f"subgraph {name!r}"
    nodes, wires = read_sheet(given, where)
    return Definition(
        id=str(given.get("id")),
        name=name,
        nodes=nodes,
        wires=wires,
        inputs=[_name(input) for input in items(given, "inputs", where)],
        entry=str(child(given, "inputNode").get("id", ENTRY)),
        exit=str(child(given, "outputNode").get("id", EXIT)),
    )


def _name(input: Any) -> str:
    return str(cast("dict[str, Any]", input).get("name")) if isinstance(input, dict) else ""


@dataclass
class _Unfolding:
    definitions: Mapping[str, Definition]
    groups: Mapping[str, Any]
    registry: Registry
    count: int = 0

    def unfold(self, sheet: Sheet, chain: list[str]) -> None:
        """Give a sheet the sheets of its subgraphs; `chain` holds those it is inside of."""
        self._add(sum(node.size for node in sheet.nodes.values()))
        for node in sheet.nodes.values():
            definition = self._definition(node, sheet) if node.runs else None
            if definition is None:
                continue
            if definition.id in chain:
                problem = f"subgraph {definition.name!r} contains itself"
                raise unusable(f"{sheet.describe(node)}: {problem}; take it out of itself")
            if len(chain) >= DEEPEST:
                raise unusable(
                    f"{sheet.describe(node)} is inside of {DEEPEST} subgraphs; unpack some"
                )
            inner = sheet.inside[node.key] = _inner(sheet, node, definition)
            self.unfold(inner, [*chain, definition.id])

    def _definition(self, node: Node, sheet: Sheet) -> Definition | None:
        for prefix in PREFIXES:
            group = self.groups.get(node.type.removeprefix(prefix))
            if node.type.startswith(prefix) and isinstance(group, dict):
                where, parts = sheet.describe(node), cast("dict[str, Any]", group)
                self._add(len(items(parts, "links", where)))  # it is read for each use
                return as_subgraph(node, parts, where, self.registry)
        return self.definitions.get(node.type)

    def _add(self, count: int) -> None:
        self.count += count
        if self.count > MOST_PARTS:
            raise unusable(f"unfolded it has more than {MOST_PARTS} nodes and sockets; part it")


def _inner(sheet: Sheet, host: Node, definition: Definition) -> Sheet:
    inner = Sheet(
        definition.nodes,
        definition.wires,
        prefix=f"{sheet.prefix}{host.key}:",
        parent=sheet,
        host=host,
        definition=definition,
    )
    for (node, name), value in _settings(sheet, host, definition):
        if value is None:
            continue
        if node == HOST:
            inner.values[name] = value
        else:
            inner.imposed.setdefault(node, {})[name] = value
    return inner


def _settings(
    sheet: Sheet, host: Node, definition: Definition
) -> Iterator[tuple[tuple[str, str], Any]]:
    """What a host sets: (`HOST`, input) or (node inside, widget), and the value.

    A host saves a value for each widget it shows. Older editors save them in the nodes inside
    alone, and none at the host. A widget that it names and that an input stands for as well is that
    input's, which brings the value to everything that the input enters.
    """
    saved = host.widgets_values
    own = [(HOST, name) for name in definition.widgets]
    of_input = {
        (node.key, widget): (HOST, definition.inputs[slot])
        for slot, (node, widget) in definition.shown.items()
        if slot < len(definition.inputs)
    }
    proxies = [of_input.get(proxy, proxy) for proxy in host.proxies]
    found: list[tuple[tuple[str, str], Any]] = []
    if isinstance(saved, dict):
        found = [((HOST, name), value) for name, value in saved.items()]
    elif len(saved) == len(proxies or own):
        found = list(zip(proxies or own, saved, strict=True))
    yield from found
    given = {name for (_, name), value in found if value is not None}
    left = {name: v for name, v in host.widgets_values_named.items() if name not in given}
    inputs = set(definition.inputs)
    inner = {
        name: of_input.get((node, name), (node, name)) for node, name in reversed(host.proxies)
    }
    for name, value in {**left, **sheet.imposed.get(host.key, {})}.items():
        if name in inputs or name in inner:
            yield (HOST, name) if name in inputs else inner[name], value
