"""What files of earlier years say otherwise: one table, which the editor reads too.

`old_files.json` holds it. A value, a name or a type of today is never touched: an old one is
replaced only where the node does not know it, and knows the one that took its place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from msgspec import Struct, field
from msgspec import json as msgspec_json

from engine.authoring.markers import Files
from engine.authoring.registry import Registry
from engine.authoring.spec import Input


class Renamed(Struct, frozen=True):
    """The type of node that took the place of an old one; its inputs by their old names."""

    type: str
    inputs: dict[str, str] = field(default_factory=dict[str, str])


class Table(Struct, frozen=True):
    """The table.

    Attributes:
        seeds: names of inputs that a control stands behind in a list of values.
        controls: what may happen to a number after a run, as files say it: what it means.
        control_spellings: other spellings of these, as JSON writes them, in lower case.
        control_otherwise: what any other value means that stands in the place of a control.
        upload_buttons: what files have in the place of the button of an upload.
        prefixes: by input name, what names of options once began with.
        booleans: options that were true and false once.
        nodes: old types of nodes.
        inputs: for a type of node, old names of its inputs.
    """

    seeds: frozenset[str]
    controls: dict[str, str]
    control_spellings: dict[str, str]
    control_otherwise: str
    upload_buttons: list[str | None]
    prefixes: dict[str, list[str]]
    booleans: list[tuple[str, str]]
    nodes: dict[str, Renamed]
    inputs: dict[str, dict[str, str]]


TABLE = msgspec_json.decode(
    (files("engine.graph") / "old_files.json").read_bytes(), type=Table, strict=True
)


def control(value: Any) -> str:
    """What happens to a number after a run, by what a file has in the place of its control."""
    if isinstance(value, str) and value in TABLE.controls:
        return TABLE.controls[value]
    spelled = value.strip().lower() if isinstance(value, str) else json.dumps(value)
    known = TABLE.control_spellings | TABLE.controls
    return known.get(spelled, TABLE.control_otherwise)


def present_type(type: str, registry: Registry) -> str:
    """The type of node that an old one is called today, where that is known and the old is not."""
    renamed = TABLE.nodes.get(type)
    if renamed is None or registry.get(type) is not None or registry.get(renamed.type) is None:
        return type
    return renamed.type


def present_names(type: str, old_type: str) -> Mapping[str, str]:
    """Old names of a node's inputs: what they are called today.

    Args:
        type: of the node today.
        old_type: as the file says it.
    """
    renamed = TABLE.nodes.get(old_type)
    own = renamed.inputs if renamed is not None and renamed.type == type else {}
    return {**TABLE.inputs.get(type, {}), **own}


def present_value(input: Input, value: Any) -> Any:
    """The option that an old value of a choice is called today; any other value as it is."""
    options = input.choice.options if input.choice is not None else None
    if options is None or isinstance(options, Files) or value in options:
        return value
    if isinstance(value, bool):
        for pair in TABLE.booleans:
            if set(pair) <= set(options):
                return pair[0] if value else pair[1]
    if isinstance(value, str):
        for prefix in TABLE.prefixes.get(input.name.rpartition(".")[2], ()):
            if value.startswith(prefix) and value.removeprefix(prefix) in options:
                return value.removeprefix(prefix)
    return value
