"""Nodes for lists, and for values of many parts as JSON has them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

from engine import All, Each, Option, Range, Slots, Socket, Text, Tooltip, Widget, node

if TYPE_CHECKING:
    Array: TypeAlias = list[Any]
    Dictionary: TypeAlias = dict[str, Any]
else:
    Array = Socket("ARRAY", "A list of values, as JSON has them.")
    Dictionary = Socket("DICT", "Values by name, as JSON has them.")

Long = Annotated[str, Text(multiline=True)]
Json = Annotated[Long, Tooltip("An object as JSON.")]
Indent = Annotated[int, Range(0, 8), Tooltip("Spaces for each level; 0: all on one line.")]


@node("JsonExtractString", category="text", display_name="Extract Text from JSON")
def extract_json(
    *, json_string: Json, key: Annotated[str, Tooltip("The name of the value.")]
) -> str:
    """One value of a JSON object as text; empty where there is none."""
    try:
        found = json.loads(json_string)
    except (ValueError, RecursionError):
        return ""
    value: object = found.get(key) if isinstance(found, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - JSON
    return "" if value is None else str(value)  # pyright: ignore[reportUnknownArgumentType] - JSON


@node("ConvertArrayToString", category="text", display_name="Convert Array to String")
def array_to_text(*, array: Array, indent: Indent = 2) -> str:
    """An array as JSON; indent 0 puts it on one line."""
    return _written(array, indent)


@node("ConvertDictionaryToString", category="text", display_name="Convert Dictionary to String")
def dictionary_to_text(*, dictionary: Dictionary, indent: Indent = 2) -> str:
    """A dictionary as JSON; indent 0 puts it on one line."""
    return _written(dictionary, indent)


def _written(value: Any, indent: int) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, indent=indent or None)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the value cannot be written as JSON: {error}") from None


class Made(NamedTuple):
    """A list; what follows runs once for each of its items."""

    list: Each[Any]


@node("CreateList", category="utilities", display_name="Create List")
def create_list(
    *, inputs: Annotated[dict[str, All[Any]], Slots("input"), Tooltip("Values, or lists of them.")]
) -> Made:
    """All values in one list, those of lists one by one."""
    return Made([item for items in inputs.values() for item in items])


@node("GetItemFromList", category="utilities", display_name="Get Item From List")
def item_of_list(
    *,
    list: Annotated[All[Any], Tooltip("The list.")],
    index: Annotated[int, Tooltip("From 0; negative counts from the end.")] = 0,
) -> Any:
    """One item of a list, counted from 0, or from the end if negative.

    Raises:
        IndexError: the list is shorter.
    """
    if not -len(list) <= index < len(list):
        raise IndexError(f"index {index}: the list has {len(list)} items, counted from 0")
    return list[index]


class Plain(Option, key="none"):
    """No style."""


class Photo(Option, key="photo"):
    """The style of a photograph."""

    photo: str = ""


class ArtStyle(Option, key="art_style"):
    """An art style."""

    art_style: str = ""


class Prompted(NamedTuple):
    """A prompt of many parts."""

    prompt: Dictionary


@node(
    "BuildJsonPromptIdeogram",
    category="text",
    display_name="Build JSON Prompt (Ideogram)",
    experimental=True,
)
def ideogram_prompt(
    *,
    element: Array,
    high_level_description: Annotated[Long, Tooltip("The whole in a sentence.")] = "",
    background: Annotated[Long, Tooltip("What is behind everything.")] = "",
    style: Annotated[Plain | Photo | ArtStyle, Tooltip("A photograph, an art style, or none.")],
    aesthetics: Annotated[str, Tooltip("Words for the style, such as calm or minimal.")] = "",
    lighting: Annotated[str, Tooltip("Where light comes from, and how hard it is.")] = "",
    medium: Annotated[str, Tooltip("What it is made with, such as film or oil.")] = "",
    color_palette: Annotated[Any, Widget("COLORS"), Tooltip("Colours as #RRGGBB.")],
) -> Prompted:
    """A prompt as Ideogram's models know it, from its parts."""
    prompt: dict[str, Any] = {}
    if high_level_description.strip():
        prompt["high_level_description"] = high_level_description
    described: dict[str, Any] = {"aesthetics": aesthetics, "lighting": lighting}
    match style:
        case Photo(photo=photo):
            described |= {"photo": photo, "medium": medium}
        case ArtStyle(art_style=art_style):
            described |= {"medium": medium, "art_style": art_style}
        case Plain():
            described = {}
    if described and color_palette:
        described["color_palette"] = [str(color).upper() for color in color_palette]
    if described:
        prompt["style_description"] = described
    prompt["compositional_deconstruction"] = {"background": background, "elements": element}
    return Prompted(prompt)
