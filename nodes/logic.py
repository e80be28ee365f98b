"""Nodes that choose, and that show whatever there is."""

from __future__ import annotations

import json
from inspect import isawaitable
from typing import Any, NamedTuple

from engine import Artifact, Lazy, node


class Chosen(NamedTuple):
    """What was chosen."""

    output: Any


@node("ComfySwitchNode", category="utilities/logic", display_name="If/Else Switch")
async def switch(
    *, switch: bool, on_false: Lazy[Any] | None = None, on_true: Lazy[Any] | None = None
) -> Chosen:
    """One of two values; what the other comes from is never computed."""
    chosen = on_true if switch else on_false
    if chosen is None:
        name = "on_true" if switch else "on_false"
        raise ValueError(f"{name} is not connected, and switch chose it; connect it")
    return Chosen(await chosen if isawaitable(chosen) else chosen)


@node("PreviewAny", category="utils", display_name="Preview as Text")
def preview_any(*, source: Any) -> Artifact:
    """Show any value: texts as they are, what JSON can say as JSON, else a description."""
    return Artifact(text=[source if isinstance(source, str) else _described(source)])


def _described(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return str(value)
    try:
        return json.dumps(value, ensure_ascii=False, indent=2)
    except (TypeError, ValueError, RecursionError):
        return str(value)
