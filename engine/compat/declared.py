"""What a V1 class says of itself, read and checked: class attributes to `GuestNode`."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from engine.authoring.errors import SoundstageError
from engine.authoring.sockets import ANY
from engine.authoring.spec import NUMBERS, PLAIN
from engine.compat.plain import listed, number, plain, text
from engine.run.remote_nodes import RUN_PARAMETER, InputDescription, NodeDescription

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
LIMITS = ("min", "max", "step", "round")
NO_OPTIONS: Mapping[str, Any] = {}
FLAGGED = ("forceInput", "lazy", "rawLink", "control_after_generate")


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


def declared(kind: Any, source: Source) -> tuple[NodeDescription, dict[str, str]]:
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
    inputs = _inputs(types)
    checks, checks_types = _checks(kind, [input.name for input in inputs])
    node = NodeDescription(
        id=source.id,
        kind="async" if inspect.iscoroutinefunction(function) else "function",
        inputs=[*inputs, *([] if filled else _unseen(types.get("hidden") or {}, inputs))],
        outputs=outputs,
        category=text(getattr(kind, "CATEGORY", None) or "custom nodes"),
        description=text(getattr(kind, "DESCRIPTION", "") or ""),
        display_name=source.display_name,
        version=source.version,
        origin=source.origin,
        object_info={},
        shows=bool(getattr(kind, "OUTPUT_NODE", False)),
        collects=bool(getattr(kind, "INPUT_IS_LIST", False)),
        has_check=hasattr(kind, "VALIDATE_INPUTS"),
        checks=checks,
        checks_types=checks_types,
        takes_all=UNTIDY in types["optional"],
        per_node=bool(getattr(kind, "NOT_IDEMPOTENT", False)) or "UNIQUE_ID" in hidden.values(),
    )
    node.object_info.update(_described(kind, node, inputs, types))
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
    """The hidden inputs that are filled in, name to what fills it."""
    kinds = {text(name): _hidden_kind(entry) for name, entry in section.items()}
    return {name: kind for name, kind in kinds.items() if kind in HIDDEN}


def _hidden_kind(entry: Any) -> str:
    """What a hidden input asks for; "" if that is no text."""
    kind = entry[0] if isinstance(entry, list | tuple) and entry else entry  # pyright: ignore[reportUnknownVariableType] - a pack's
    return text(kind) if isinstance(kind, str) else ""


def _unseen(section: Mapping[str, Any], seen: Sequence[InputDescription]) -> list[InputDescription]:
    """Hidden inputs that nothing fills: no editor shows them, prompts and expansions may give them.

    Loops hand on by them how many turns are left.
    """
    known = {input.name for input in seen}
    names = [text(name) for name, entry in section.items() if _hidden_kind(entry) not in HIDDEN]
    return [
        InputDescription(name, ANY, [ANY], optional=True, link_only=True)
        for name in names
        if name not in known and name != RUN_PARAMETER
    ]


def _inputs(types: Mapping[str, Mapping[str, Any]]) -> list[InputDescription]:
    """The inputs in their order; of two of one name the first, which is the required one."""
    found: dict[str, InputDescription] = {}
    for section in ("required", "optional"):
        for name, entry in types[section].items():
            made = _input(text(name), entry, optional=section == "optional")
            found.setdefault(made.name, made)
    return [*found.values()]


def _input(name: str, entry: Any, *, optional: bool) -> InputDescription:
    if name == RUN_PARAMETER:
        raise Misdeclared(f"has an input {name!r}; no input can have this name")
    kind, options = _parted(name, entry)
    choices = None
    if isinstance(kind, Iterable) and not isinstance(kind, str):
        kind = choices = listed(cast("Iterable[Any]", kind), wide=True)
        type = "COMBO"
    else:
        type = _type(kind, f"input {name!r}")
        choices = _choices(name, options) if type == "COMBO" else None
    has_limits = NUMBERS.issuperset(type.split(","))
    is_widget = "default" in options or PLAIN.issuperset(type.split(","))
    force, lazy, raw, seed = (bool(options.get(flag)) for flag in FLAGGED)
    return InputDescription(
        name=name,
        type=type,
        default=plain(options.get("default"), wide=True),
        seed=seed,
        upload=next((kind for kind in UPLOADS if options.get(f"{kind}_upload")), None),
        link_only=force or not is_widget,
        object_info=_shown(kind, options),
        optional=optional,
        lazy=lazy,
        raw=raw,
        options=None if is_open(options) else choices,
        min=number(options.get("min")) if has_limits else None,
        max=number(options.get("max")) if has_limits else None,
    )


def _choices(name: str, options: Mapping[str, Any]) -> list[Any] | None:
    """The options of an entry ``("COMBO", {"options": [...]})``; None where it lists none."""
    given = options.get("options")
    if given is None:
        return None
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        raise Misdeclared(f"has input {name!r} with options = {plain(given)!r}; write a list")
    return listed(cast("Iterable[Any]", given), wide=True)


def _shown(kind: Any, options: Mapping[str, Any]) -> list[Any]:
    """An input as object_info has it; limits that are no numbers are left out."""
    shown: dict[str, Any] = plain(options, wide=True)
    for name in LIMITS:
        if name in shown and not isinstance(shown[name], bool) and number(shown[name]) is None:
            del shown[name]
    return [plain(kind, wide=True)] if options is NO_OPTIONS else [plain(kind, wide=True), shown]


def is_open(options: Mapping[str, Any]) -> bool:
    """Whether a choice takes more than one of its options: those of a remote list, several."""
    return any(options.get(name) for name in ("remote", "multiselect", "multi_select"))


def _parted(name: str, entry: Any) -> tuple[Any, Mapping[str, Any]]:
    """The type and the options of an entry, ``("INT", {"default": 1})``."""
    if isinstance(entry, str):
        return entry, NO_OPTIONS
    if not isinstance(entry, list | tuple) or not entry:
        raise Misdeclared(
            f'has input {name!r} = {entry!r}; write ("INT", {{...}}) or (["a", "b"],)'
        )
    kind, *rest = cast("list[Any]", entry)
    if rest and isinstance(rest[0], Mapping):
        return kind, cast("Mapping[str, Any]", rest[0])
    return kind, NO_OPTIONS


def _type(kind: Any, where: str) -> str:
    """The name of a type; "*" for one of those strings that say they are equal to every other."""
    if isinstance(kind, Enum):
        kind = kind.value
    if not isinstance(kind, str):
        raise Misdeclared(f"has {where} of the type {plain(kind)!r}; a type is a string or a list")
    fits_all = kind == UNTIDY or not kind != UNTIDY  # noqa: SIM202 - they are overridden one by one
    return ANY if fits_all else ",".join(part.strip() for part in text(kind).split(","))


def _outputs(kind: Any) -> list[tuple[str, str, bool]]:
    types = getattr(kind, "RETURN_TYPES", None)
    if not isinstance(types, list | tuple):
        raise Misdeclared(
            f'has RETURN_TYPES = {types!r}; write a tuple: ("IMAGE",), or () for none'
        )
    kinds = [_output_type(entry) for entry in cast("list[Any]", types)]
    names = [text(name) if isinstance(name, str) else "" for name in _listed(kind, "RETURN_NAMES")]
    each = [bool(flag) for flag in _listed(kind, "OUTPUT_IS_LIST")]
    return [
        (
            (names[index] if index < len(names) else "") or name,
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


def _described(
    kind: Any, node: NodeDescription, inputs: Sequence[InputDescription], types: Mapping[str, Any]
) -> dict[str, Any]:
    """The node's entry in object_info."""
    shown: dict[str, dict[str, Any]] = {
        "required": {input.name: input.object_info for input in inputs if not input.optional},
        "optional": {input.name: input.object_info for input in inputs if input.optional},
        "hidden": plain(types.get("hidden") or {}, wide=True),
    }
    shown = {name: section for name, section in shown.items() if section or name == "required"}
    entry: dict[str, Any] = {
        "input": shown,
        "input_order": {name: [*section] for name, section in shown.items()},
        "output": listed(kind.RETURN_TYPES, wide=True),
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
        entry["output_tooltips"] = listed(_listed(kind, "OUTPUT_TOOLTIPS"))
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
