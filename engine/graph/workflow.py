"""A workflow as the editor saves it, made into a prompt in API format."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from engine.authoring.registry import Registry
from engine.authoring.sockets import ANY, is_compatible
from engine.authoring.spec import NodeSpec
from engine.graph.editor import BYPASSED, MUTED, Node, Socket, Wire, unusable
from engine.graph.groups import REMEDY
from engine.graph.old_files import present_names, present_type, present_value
from engine.graph.prompt import Link, written
from engine.graph.subgraphs import Sheet, expand_subgraphs
from engine.graph.widgets import values

PRIMITIVE = "PrimitiveNode"
REROUTES = frozenset({"Reroute", "Reroute (rgthree)"})
EDITOR_ONLY = REROUTES | {PRIMITIVE, "Note", "MarkdownNote"}


class End(enum.Enum):
    """How a link may end without a value."""

    LOOSE = "connected to nothing"
    CUT = "comes from a node that does not run"


@dataclass(frozen=True)
class Fixed:
    """The value of a primitive, or one set at a subgraph."""

    value: Any


@dataclass(frozen=True)
class Onward:
    """The link that an input really comes by; `instead` is there for when it is loose."""

    sheet: Sheet
    link: str
    instead: Fixed | None = None


Origin: TypeAlias = Link | Fixed | End


def is_workflow(document: Any) -> bool:
    """Whether a document is in the editor's format; a prompt in API format is not."""
    match document:
        case {"nodes": list()}:
            return True
        case _:
            return False


def to_prompt(document: Mapping[str, Any], registry: Registry) -> dict[str, Any]:
    """The prompt that the editor would send for a workflow.

    Muted nodes are left out, bypassed ones and reroutes followed, subgraphs unfolded (their
    nodes get ids such as "12:7"), values of primitives put in. A node of an unknown type stays,
    with what is linked to it, for validation to name it.

    Args:
        document: a workflow file of the editor.
        registry: has the widgets of each type of node.

    Raises:
        PromptError: of type "invalid_workflow"; its details name the node.
    """
    if not is_workflow(document):
        raise unusable("it has no list of nodes; export it from the editor again")
    origins = _Origins()
    prompt: dict[str, Any] = {}
    for sheet, node in expand_subgraphs(document, registry).walk():
        if not node.runs or node.type in EDITOR_ONLY:
            continue
        id = sheet.prefix + node.key
        if id in prompt:
            raise unusable(f"two nodes have the id {id}; give one of them another id")
        spec = _spec(node, registry)
        prompt[id] = {
            "inputs": _inputs(sheet, node, registry, origins),
            "class_type": spec.id if spec else node.type,
            "_meta": {"title": node.title or (spec.display_name if spec else node.type)},
        }
    return prompt


def _spec(node: Node, registry: Registry) -> NodeSpec | None:
    return registry.get(present_type(node.type, registry))


def _inputs(sheet: Sheet, node: Node, registry: Registry, origins: _Origins) -> dict[str, Any]:
    spec = _spec(node, registry)
    inputs = values(node, spec, sheet.imposed.get(node.key, {}))
    linked: set[str] = set()
    for socket, name in socket_names(node, spec):
        if socket.link is None:
            continue
        linked.add(name)
        match origins.of(sheet, str(socket.link)):
            case Link(source, slot):
                inputs[name] = [source, slot]
                continue
            case Fixed(value):
                inputs[name] = value
            case End.CUT:
                inputs.pop(name, None)
            case End.LOOSE:
                if name not in inputs and (shared := _shared(sheet, socket, registry)):
                    inputs[name] = shared.value
        linked.discard(name)
    return {
        name: value if name in linked else written(_present(name, value, spec))
        for name, value in inputs.items()
    }


def _present(name: str, value: Any, spec: NodeSpec | None) -> Any:
    input = spec.by_name.get(name) if spec is not None else None
    return value if input is None else present_value(input, value)


def socket_names(node: Node, spec: NodeSpec | None) -> Iterator[tuple[Socket, str]]:
    """The input sockets of a node, each with the name of the input that it stands for today.

    One that the node does not know stands for the one input that nothing else is linked to and
    that must be, if there is just one of the type.
    """
    if spec is None:
        yield from ((socket, socket.name) for socket in node.inputs)
        return
    renamed = present_names(spec.id, node.type)
    names = [_known_name(socket, renamed, spec) for socket in node.inputs]
    taken = {name for name, s in zip(names, node.inputs, strict=True) if s.link is not None}
    free = [i for i in spec.inputs if not (i.is_widget or i.optional or i.name in taken)]
    for socket, name in zip(node.inputs, names, strict=True):
        fitting = [input for input in free if input.type == socket.kind]
        if socket.link is not None and not _has(spec, name) and len(fitting) == 1:
            free.remove(fitting[0])
            name = fitting[0].name
        yield socket, name


def _known_name(socket: Socket, renamed: Mapping[str, str], spec: NodeSpec) -> str:
    name = renamed.get(socket.name, socket.name)
    widget = socket.widget.get("name") if isinstance(socket.widget, dict) else None  # pyright: ignore[reportUnknownVariableType,reportUnknownMemberType] - JSON
    if not _has(spec, name) and isinstance(widget, str):
        return renamed.get(widget, widget)
    return name


def _has(spec: NodeSpec, name: str) -> bool:
    return name.partition(".")[0] in spec.by_name


def _shared(sheet: Sheet, socket: Socket, registry: Registry) -> Fixed | None:
    """What a subgraph's input that nothing enters gives a socket: the value of its widget."""
    wire = sheet.wires.get(str(socket.link))
    if sheet.definition is None or wire is None or wire.source != sheet.definition.entry:
        return None
    node, name = sheet.definition.shown.get(wire.slot, (None, ""))
    if node is None:
        return None
    set_to = values(node, _spec(node, registry), sheet.imposed.get(node.key, {}))
    return Fixed(set_to[name]) if name in set_to else None


class _Origins:
    """Where links really come from; each is followed once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Sheet, str], Origin] = {}

    def of(self, sheet: Sheet, link: str) -> Origin:
        """What a link of a sheet brings.

        Raises:
            PromptError: it leads in a circle of nodes that do not run.
        """
        path: dict[tuple[Sheet, str], Fixed | None] = {}
        origin = self._known.get((sheet, link))
        while origin is None:
            step = _step(sheet, link)
            if not isinstance(step, Onward):
                path[sheet, link] = None
                origin = step
                break
            path[sheet, link] = step.instead
            sheet, link = step.sheet, step.link
            if (sheet, link) in path:
                node = sheet.nodes[sheet.wires[link].source]
                raise unusable(f"{sheet.describe(node)}: its links lead in a circle; remove one")
            origin = self._known.get((sheet, link))
        for place, instead in reversed(path.items()):
            if origin is End.LOOSE and instead is not None:
                origin = instead
            self._known[place] = origin
        return origin


def _step(sheet: Sheet, link: str) -> Origin | Onward:
    """One node back along a link."""
    wire = sheet.wires.get(link)
    if wire is None:
        return End.LOOSE
    if sheet.definition is not None and wire.source == sheet.definition.entry:
        return _outwards(sheet, wire.slot)
    node = sheet.nodes.get(wire.source)
    if node is None:
        return End.LOOSE
    if node.type == PRIMITIVE:
        return _primitive(node)
    if node.mode == MUTED:
        return End.CUT
    if node.mode == BYPASSED or node.type in REROUTES:
        before = _bypass(sheet, node, wire) if node.mode == BYPASSED else _first(node.inputs)
        return Onward(sheet, before) if before is not None else End.CUT
    if node.key in sheet.inside:
        return _inwards(sheet, node, wire.slot)
    return End.CUT if node.type in EDITOR_ONLY else Link(sheet.prefix + node.key, wire.slot)


def _outwards(sheet: Sheet, slot: int) -> Origin | Onward:
    """From an input of a subgraph to what its host gets there."""
    names = sheet.definition.inputs if sheet.definition is not None else []
    if sheet.host is None or sheet.parent is None or not 0 <= slot < len(names):
        return End.LOOSE
    name = names[slot]
    instead = Fixed(sheet.values[name]) if name in sheet.values else None
    link = sheet.given.get(name)
    if link is None:
        return instead or End.LOOSE
    return Onward(sheet.parent, link, instead)


def _inwards(sheet: Sheet, host: Node, slot: int) -> Origin | Onward:
    """From an output of a host to what its subgraph brings there."""
    inner = sheet.inside[host.key]
    leaving = inner.definition.leaving.get(slot) if inner.definition is not None else None
    if leaving is None and inner.definition is not None and inner.definition.closed:
        name = host.outputs[slot].name if 0 <= slot < len(host.outputs) else slot
        problem = f"its output {name!r} belongs to none of the nodes inside"
        raise unusable(f"{sheet.describe(host)}: {problem}; {REMEDY}")
    return Onward(inner, leaving) if leaving is not None else End.CUT


def _primitive(node: Node) -> Fixed | End:
    saved = node.widgets_values
    value = saved.get("value") if isinstance(saved, dict) else next(iter(saved), None)
    if value is None:
        value = node.widgets_values_named.get("value")
    return Fixed(value) if value is not None else End.LOOSE


def _bypass(sheet: Sheet, node: Node, wire: Wire) -> str | None:
    """The link that goes through a bypassed node: same type as the output, same place first."""
    outputs = node.outputs
    given = outputs[wire.slot].kind if 0 <= wire.slot < len(outputs) else str(wire.type)
    linked = [
        (place != wire.slot, str(socket.link), _received(sheet, socket))
        for place, socket in enumerate(node.inputs)
        if socket.link is not None
    ]
    for matches in (str.__eq__, is_compatible):
        for _, link, received in sorted(linked, key=lambda entry: entry[0]):
            if matches(received, given):
                return link
    return None


def _received(sheet: Sheet, socket: Socket) -> str:
    """The type of a linked input; where it takes any, that of what comes in."""
    if socket.kind != ANY:
        return socket.kind
    wire = sheet.wires.get(str(socket.link))
    return wire.type if wire is not None and isinstance(wire.type, str) else ANY


def _first(sockets: list[Socket]) -> str | None:
    return next((str(socket.link) for socket in sockets if socket.link is not None), None)
