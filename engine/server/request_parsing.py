"""Request bodies and parameters: read, checked, or refused with a clear 400."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, cast

import msgspec
from aiohttp import web

from engine.authoring.errors import SoundstageError
from engine.authoring.names import CONTROL

DEEPEST = 100
LONGEST_INT = 4000
MOST_PARTS = 1_000_000
"""Lists and objects of one body; to read more would keep everybody waiting for seconds."""
MOST_STRINGS = 100_000
LONGEST_ID = 128
READ_AT_ONCE = 256 * 1024
"""Bodies up to this many bytes are read in the event loop, larger ones beside it."""


class BadInput(SoundstageError):
    """A request that cannot be understood; answered with 400.

    Attributes:
        type: a word for programs.
        facts: more of them, for programs too.
    """

    def __init__(self, type: str, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.type = type
        self.facts = facts


async def json_object(request: web.Request, *, empty_is_object: bool = False) -> dict[str, Any]:
    """The body as a JSON object, whatever its Content-Type claims.

    NaN and Infinity are let through, so that validation can name the node and input that hold
    them; an integer of thousands of digits becomes an infinity for the same reason.

    Raises:
        BadInput: no JSON, no object, nested too deeply, of too many parts, or no Unicode.
    """
    if empty_is_object and not (await request.read()).strip():
        return {}
    value = await json_value(request)
    if not isinstance(value, dict):
        raise BadInput("invalid_json", f"The body is a JSON {_kind(value)}; send an object.")
    return cast("dict[str, Any]", value)


async def json_value(request: web.Request) -> Any:
    """The body as whatever JSON it is.

    Raises:
        BadInput: as `json_object`.
    """
    data = await request.read()
    if len(data) <= READ_AT_ONCE:
        return _parsed(data)
    return await asyncio.to_thread(_parsed, data)


def _parsed(data: bytes) -> Any:
    parts = data.count(b"[") + data.count(b"{")  # or more, where texts hold some
    if parts > MOST_PARTS:
        raise BadInput(
            "invalid_json",
            f"The body holds {parts} lists and objects, over the limit of {MOST_PARTS}.",
        )
    try:
        value = _decoded(data)
        if parts > DEEPEST and _is_deep(value):
            raise RecursionError
    except RecursionError:
        raise BadInput(
            "invalid_json", f"The body is nested more than {DEEPEST} levels deep; flatten it."
        ) from None
    except UnicodeEncodeError:
        raise BadInput(
            "invalid_json",
            "The body holds half a surrogate pair (\\ud800 to \\udfff alone), which is no text.",
        ) from None
    except UnicodeDecodeError as error:
        raise BadInput("invalid_json", f"The body is not UTF-8: {error.reason}.") from None
    except json.JSONDecodeError as error:
        raise BadInput("invalid_json", f"The body is not valid JSON: {error}.") from None
    return value


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):  # Python's reader takes more, and says why
        value = _loaded(data)
        msgspec.json.encode(value)  # can it be sent again?
        return value


def _loaded(data: bytes) -> Any:
    text = data.decode("utf-8-sig")
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer over Python's limit of digits
        return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_INT else float(digits)


def _is_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: Any) -> list[Any]:
    """The containers directly inside a container."""
    if isinstance(value, dict):
        items = list(cast("dict[str, Any]", value).values())
    elif isinstance(value, list):
        items = cast("list[Any]", value)
    else:
        return []
    return [item for item in items if isinstance(item, dict | list)]


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "list"
        case _:
            return "object"


def string(body: dict[str, Any], name: str) -> str | None:
    """A member that is a string, or absent.

    Raises:
        BadInput: it is something else.
    """
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise BadInput(
            f"invalid_{name}", f"{name} must be a string, not a {_kind(value)}.", input_name=name
        )
    return value


def is_job_id(value: Any) -> bool:
    """Whether a client may call a job so: any short text that can be part of an address."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST_ID
        and value not in (".", "..")
        and not CONTROL.search(value)
    )


def strings(body: dict[str, Any], name: str) -> list[str] | None:
    """A member that is a list of strings, or absent.

    Raises:
        BadInput: it is something else, or has very many.
    """
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(
        isinstance(item, str) for item in cast("list[Any]", value)
    ):
        raise BadInput(f"invalid_{name}", f"{name} must be a list of strings.", input_name=name)
    found = cast("list[str]", value)
    if len(found) > MOST_STRINGS:
        over = f"{name} has {len(found)} entries; send {MOST_STRINGS} at a time."
        raise BadInput(f"invalid_{name}", over, input_name=name)
    return found


def mapping(body: dict[str, Any], name: str) -> dict[str, Any] | None:
    """A member that is an object, or absent.

    Raises:
        BadInput: it is something else.
    """
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise BadInput(
            f"invalid_{name}", f"{name} must be an object, not a {_kind(value)}.", input_name=name
        )
    return cast("dict[str, Any] | None", value)


def flag(body: dict[str, Any], name: str) -> bool:
    """A member that is true or false; false if absent.

    Raises:
        BadInput: it is something else.
    """
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise BadInput(f"invalid_{name}", f"{name} must be true or false.", input_name=name)
    return value


def says_yes(given: Mapping[str, str], name: str) -> bool:
    """Whether a parameter, or a field of a form, is "true" or "1"."""
    return given.get(name, "").lower() in ("true", "1")


def count(request: web.Request, name: str) -> int | None:
    """A whole number >= 0 in the query, or absent.

    Raises:
        BadInput: it is something else.
    """
    text = request.query.get(name)
    if text is None:
        return None
    value = whole(text)
    if value is None:
        raise BadInput(
            f"invalid_{name}", f"{name} must be a whole number, 0 or more.", input_name=name
        )
    return value


def whole(text: str) -> int | None:
    """The whole number that a text is, of at most 16 digits; None if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 17 else None
