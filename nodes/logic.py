"""Nodes that choose, and that show whatever there is."""

from __future__ import annotations

import json
from inspect import isawaitable
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from engine import Artifact, Lazy, Mark, Tooltip, Widget, node

T = TypeVar("T")


class Chosen(NamedTuple, Generic[T]):
    """What was chosen."""

    output: T


@node(
    "ComfySwitchNode", category="utilities/logic", display_name="If/Else Switch", experimental=True
)
async def switch(
    *,
    switch: Annotated[bool, Tooltip("Which one: on takes on_true.")],
    on_false: Annotated[Lazy[T], Tooltip("What is given when the switch is off.")] | None = None,
    on_true: Annotated[Lazy[T], Tooltip("What is given when the switch is on.")] | None = None,
) -> Chosen[T]:
    """One of two values; what the other comes from is never computed."""
    chosen = on_true if switch else on_false
    if chosen is None:
        name = "on_true" if switch else "on_false"
        raise ValueError(f"{name} is not connected, and switch chose it; connect it")
    return Chosen(await chosen if isawaitable(chosen) else chosen)


class Previewed(NamedTuple):
    """A value as text, and where it is shown."""

    STRING: str
    shown: Artifact


@node("PreviewAny", category="utils", display_name="Preview as Text")
def preview_any(*, source: Annotated[Any, Tooltip("Whatever is to be shown.")]) -> Previewed:
    """Show any value: texts as they are, what JSON can say as JSON, else a description."""
    text = source if isinstance(source, str) else _described(source)
    return Previewed(text, Artifact(text=[text]))


class Picked(NamedTuple):
    """An option, and which one it is."""

    STRING: str
    INDEX: int


@node("CustomCombo", category="utilities", display_name="Custom Combo", experimental=True)
def custom_choice(
    *,
    choice: Annotated[str, Widget("COMBO", {"options": []}), Tooltip("The text that is given.")],
    index: Annotated[int, Mark.ADVANCED, Mark.UNLISTED, Tooltip("Which option it is, from 0.")]
    | None = 0,
) -> Picked:
    """One of several texts, which are written in the editor."""
    return Picked(str(choice), index or 0)


def _described(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return str(value)
    try:
        return json.dumps(value, ensure_ascii=False, indent=2)
    except (TypeError, ValueError, RecursionError):
        return str(value)
