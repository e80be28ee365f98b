"""What a V1 class says of itself, read and checked: class attributes to `GuestNode`."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from engine.authoring.errors import SoundstageError
from engine.authoring.sockets import ANY
from engine.authoring.spec import PLAIN
from engine.compat.plain import plain, text
from engine.run.guests import GuestInput, GuestNode

HIDDEN = frozenset(
    {
        "PROMPT",
        "EXTRA_PNGINFO",
        "UNIQUE_ID",
        "DYNPROMPT",
        "AUTH_TOKEN_COMFY_ORG",
        "API_KEY_COMFY_ORG",
    }
)
"""Hidden inputs that are filled in when a node runs."""
UPLOADS = ("image", "audio", "video")
UNTIDY = "no type or input has this name"
"""Types that fit this fit every type; a dict that has it takes every input."""


class Misdeclared(SoundstageError):
    """A class is no V1 node; the text says which attribute is wrong and how to mend it."""


@dataclass(frozen=True)
class Source:
    """Where a class comes from.

    Attributes:
        id: its name in NODE_CLASS_MAPPINGS.
        display_name: from NODE_DISPLAY_NAME_MAPPINGS.
        origin: "custom_nodes.NAME" of its pack.
        version: changes with the pack's code.
    """

    id: str
    display_name: str
    origin: str
    version: str


def declared(kind: Any, source: Source) -> tuple[GuestNode, dict[str, str]]:
    """A node, and its hidden inputs: name to what fills it.

    Args:
        kind: the V1 class; its INPUT_TYPES is called.
        source: where it comes from.

    Raises:
        Misdeclared: the class lacks something, or says it wrongly.
        Exception: whatever the pack's INPUT_TYPES raises.
    """
    function = _function(kind)
    types = _input_types(kind)
    filled = getattr(kind, "FILLS_HIDDEN", False)  # as a class of the newer kind does itself
    hidden = {} if filled else _hidden(types.get("hidden") or {})
    outputs = _outputs(kind)
    checks, checks_types = _checks(kind, [*types["required"], *types["optional"]])
    node = GuestNode(
        id=source.id,
        kind="async" if inspect.iscoroutinefunction(function) else "function",
        inputs=[
            *(_input(name, entry, optional=False) for name, entry in types["required"].items()),
            *(_input(name, entry, optional=True) for name, entry in types["optional"].items()),
        ],
        outputs=outputs,
        category=text(getattr(kind, "CATEGORY", None) or "custom nodes"),
        description=text(getattr(kind, "DESCRIPTION", "") or ""),
        display_name=source.display_name,
        version=source.version,
        origin=source.origin,
        described={},
        shows=bool(getattr(kind, "OUTPUT_NODE", False)),
        collects=bool(getattr(kind, "INPUT_IS_LIST", False)),
        has_check=hasattr(kind, "VALIDATE_INPUTS"),
        checks=checks,
        checks_types=checks_types,
        takes_all=UNTIDY in types["optional"],
        per_node=bool(getattr(kind, "NOT_IDEMPOTENT", False)) or "UNIQUE_ID" in hidden.values(),
    )
    node.described.update(_described(kind, node, types))
    return node, hidden


def _function(kind: Any) -> Any:
    name = getattr(kind, "FUNCTION", None)
    if not isinstance(name, str):
        raise Misdeclared("has no FUNCTION, the name of the method that runs it")
    function = getattr(kind, name, None)
    if not callable(function):
        raise Misdeclared(f"has FUNCTION = {name!r}, but no such method")
    return function


def _input_types(kind: Any) -> dict[str, Mapping[str, Any]]:
    if not callable(getattr(kind, "INPUT_TYPES", None)):
        raise Misdeclared("has no INPUT_TYPES; make it a classmethod that returns a dict")
    types = kind.INPUT_TYPES()
    if not isinstance(types, Mapping):
        raise Misdeclared(f"has INPUT_TYPES that return a {type(types).__name__}, not a dict")
    sections = cast("Mapping[str, Any]", types)
    found: dict[str, Mapping[str, Any]] = {"required": {}, "optional": {}}
    for name, section in sections.items():
        if section is not None and not isinstance(section, Mapping):
            raise Misdeclared(f"has INPUT_TYPES whose {name!r} is no dict")
        found[name] = {} if section is None else cast("Mapping[str, Any]", section)
    return found


def _hidden(section: Mapping[str, Any]) -> dict[str, str]:
    hidden: dict[str, str] = {}
    for name, entry in section.items():
        kind = entry[0] if isinstance(entry, list | tuple) and entry else entry  # pyright: ignore[reportUnknownVariableType] - a pack's
        if isinstance(kind, str) and kind in HIDDEN:
            hidden[text(name)] = text(kind)
    return hidden


def _input(name: str, entry: Any, *, optional: bool) -> GuestInput:
    kind, options = _parted(name, entry)
    choices = options.get("options") if kind == "COMBO" else None
    if isinstance(kind, Iterable) and not isinstance(kind, str):
        choices, kind = cast("Iterable[Any]", kind), "COMBO"
    type = _type(kind, f"input {name!r}")
    is_widget = "default" in options or PLAIN.issuperset(type.split(","))
    return GuestInput(
        name=text(name),
        type=type,
        default=plain(options.get("default")),
        seed=options.get("control_after_generate") is True,
        upload=next((kind for kind in UPLOADS if options.get(f"{kind}_upload")), None),
        link_only=options.get("forceInput") is True or not is_widget,
        described=plain(entry if isinstance(entry, list | tuple) else [entry]),
        optional=optional,
        lazy=options.get("lazy") is True,
        raw=options.get("rawLink") is True,
        options=None if choices is None or is_open(options) else plain(list(choices)),
        least=_limit(options.get("min")),
        most=_limit(options.get("max")),
    )


def is_open(options: Mapping[str, Any]) -> bool:
    """Whether a choice takes more than one of its options: those of a remote list, several."""
    return any(options.get(name) for name in ("remote", "multiselect", "multi_select"))


def _parted(name: str, entry: Any) -> tuple[Any, Mapping[str, Any]]:
    """The type and the options of an entry, ``("INT", {"default": 1})``."""
    if isinstance(entry, str):
        return entry, {}
    if not isinstance(entry, list | tuple) or not entry:
        raise Misdeclared(
            f'has input {name!r} = {entry!r}; write ("INT", {{...}}) or (["a", "b"],)'
        )
    kind, *rest = cast("list[Any]", entry)
    if rest and isinstance(rest[0], Mapping):
        return kind, cast("Mapping[str, Any]", rest[0])
    return kind, {}


def _type(kind: Any, where: str) -> str:
    """The name of a type; "*" for one of those strings that say they are equal to every other."""
    if isinstance(kind, Enum):
        kind = kind.value
    if not isinstance(kind, str):
        raise Misdeclared(f"has {where} of the type {kind!r}; a type is a string or a list")
    return text(kind) if kind != UNTIDY else ANY


def _limit(value: Any) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return plain(value)


def _outputs(kind: Any) -> list[tuple[str, str, bool]]:
    types = getattr(kind, "RETURN_TYPES", None)
    if not isinstance(types, list | tuple):
        raise Misdeclared(
            f'has RETURN_TYPES = {types!r}; write a tuple: ("IMAGE",), or () for none'
        )
    kinds = [_output_type(entry) for entry in cast("list[Any]", types)]
    names = [text(name) for name in _listed(kind, "RETURN_NAMES")]
    each = [bool(flag) for flag in _listed(kind, "OUTPUT_IS_LIST")]
    return [
        (
            names[index] if index < len(names) else name,
            name,
            each[index] if index < len(each) else False,
        )
        for index, name in enumerate(kinds)
    ]


def _output_type(entry: Any) -> str:
    is_combo = isinstance(entry, Iterable) and not isinstance(entry, str)
    return "COMBO" if is_combo else _type(entry, "an output")


def _listed(kind: Any, attribute: str) -> list[Any]:
    """A class attribute that should be a tuple; one bare value counts as the first of one."""
    value = getattr(kind, attribute, None)
    if value is None:
        return []
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else [value]


def _checks(kind: Any, names: list[str]) -> tuple[list[str], bool]:
    """The inputs that VALIDATE_INPUTS judges itself, and whether it judges types."""
    check = getattr(kind, "VALIDATE_INPUTS", None)
    if check is None:
        return [], False
    parameters = inspect.signature(check).parameters
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    judged = [name for name in names if takes_all or name in parameters]
    return judged, "input_types" in parameters


def _described(kind: Any, node: GuestNode, types: Mapping[str, Any]) -> dict[str, Any]:
    """The node's entry in object_info."""
    shown = {name: types[name] for name in ("required", "optional", "hidden") if types.get(name)}
    shown.setdefault("required", {})
    entry: dict[str, Any] = {
        "input": plain(shown),
        "input_order": {section: [text(name) for name in shown[section]] for section in shown},
        "output": plain(kind.RETURN_TYPES),
        "output_is_list": [each for _, _, each in node.outputs],
        "output_name": [name for name, _, _ in node.outputs],
        "name": node.id,
        "display_name": node.display_name,
        "description": node.description,
        "python_module": node.origin,
        "category": node.category,
        "output_node": node.shows,
    }
    if hasattr(kind, "OUTPUT_TOOLTIPS"):
        entry["output_tooltips"] = plain(_listed(kind, "OUTPUT_TOOLTIPS"))
    for attribute, member in FLAGS.items():
        if getattr(kind, attribute, False):
            entry[member] = True
    return entry


FLAGS = {
    "DEPRECATED": "deprecated",
    "EXPERIMENTAL": "experimental",
    "API_NODE": "api_node",
    "INPUT_IS_LIST": "is_input_list",
}
