r"""What `%...%` in the prefix of a file name stands for: the one rule, for all clients.

When a prompt is submitted or converted, in every literal input called `filename_prefix`:

- ``%date:FORMAT%``: the service's local time. `d`, `M`, `h`, `m`, `s` are day, month, hour (0 to
  23), minute and second; twice (`dd`) with two digits; `yy` and `yyyy` the year. What else is in
  the format stays.
- ``%Node.widget%``: what the widget of a node is set to; the node by the editor's property "Node
  name for S&R" (if it has no other, that is its type), else by its title, else by its type. A
  widget that a primitive is linked to has that one's value.

When a file is saved, also in prefixes that come over a link: ``%width%`` and ``%height%`` of the
picture, ``%batch_num%``, its place in the batch from 0, and ``%year%``, ``%month%``, ``%day%``,
``%hour%``, ``%minute%``, ``%second%``.

A value becomes part of one name: what separates folders or is not allowed in names somewhere
(``/ \ : * ? " < > | %`` and control characters) becomes ``_``, and so do dots where there is
nothing else. A name that is filled in is cut to 200 bytes. What stands for nothing stays as it
is. The files' workflow keeps the pattern, the prompt has what came of it, and the keys of the
cache are made of that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias, cast

from engine.authoring.registry import Registry
from engine.graph.prompt import as_link

Names: TypeAlias = Mapping[str, str]

PREFIX = "filename_prefix"
NAME_FOR_REPLACING = "Node name for S&R"
LONGEST_NAME = 200
_PATTERN = re.compile(r"%(date:[^%]*|[^%]+\.[^%]+)%")
_FORMAT = re.compile(r"yyyy|yy|MM?|dd?|hh?|mm?|ss?")
_UNSAFE = re.compile(r'[/\\:*?"<>|%\x00-\x1f\x7f]')
_UNKNOWN = re.compile(r"%(\w+|date:[^%]*|[^%]+\.[^%]+)%")


def name_files(
    prompt: Mapping[str, Any], registry: Registry, now: datetime, names: Callable[[], Names]
) -> None:
    """Fill in the prefixes of all file names of a prompt, in place.

    Args:
        prompt: in API format; entries that are no nodes are passed over.
        registry: has the titles of nodes that the prompt lacks.
        now: when it was submitted.
        names: what the nodes' "Node name for S&R" says, by id, as far as that is known; asked for
            only if a prefix has a pattern.
    """
    for node in _nodes(prompt):
        prefix = node.get(PREFIX)
        if isinstance(prefix, str) and _PATTERN.search(prefix):
            node[PREFIX] = filled(prefix, prompt, registry, now, names())


def filled(
    prefix: str, prompt: Mapping[str, Any], registry: Registry, now: datetime, names: Names
) -> str:
    """A prefix with the time and the values of other nodes filled in; see `name_files`."""

    def text(match: re.Match[str]) -> str:
        pattern = match[1]
        if pattern.startswith("date:"):
            return _FORMAT.sub(lambda part: _date_part(part[0], now), pattern.removeprefix("date:"))
        value = _value(pattern, prompt, registry, names)
        return match[0] if value is None else value

    made = _PATTERN.sub(text, prefix)
    return prefix if made == prefix else "/".join(map(_cut, made.split("/")))


def expanded(prefix: str, *, batch_number: int, width: int, height: int) -> str:
    """A prefix with what is known when the file is saved."""
    if "%" not in prefix:
        return prefix
    now = datetime.now().astimezone()
    tokens = {
        "batch_num": str(batch_number),
        "width": str(width),
        "height": str(height),
        "year": f"{now.year}",
        "month": f"{now.month:02}",
        "day": f"{now.day:02}",
        "hour": f"{now.hour:02}",
        "minute": f"{now.minute:02}",
        "second": f"{now.second:02}",
    }
    return re.sub(r"%(\w+)%", lambda match: tokens.get(match[1], match[0]), prefix)


def unknown(prefix: str) -> list[str]:
    """What of a prefix looks like a pattern and stood for nothing."""
    return [match[0] for match in _UNKNOWN.finditer(prefix)]


def _nodes(prompt: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The inputs of each node."""
    for entry in prompt.values():
        match entry:
            case {"class_type": str(), "inputs": dict()}:
                yield cast("dict[str, Any]", entry["inputs"])
            case _:
                continue


def _date_part(part: str, now: datetime) -> str:
    if part == "yyyy":
        return f"{now.year:04}"
    if part == "yy":
        return f"{now.year % 100:02}"
    parts = {"d": now.day, "M": now.month, "h": now.hour, "m": now.minute, "s": now.second}
    return f"{parts[part[0]]:0{len(part)}}"


def _value(pattern: str, prompt: Mapping[str, Any], registry: Registry, names: Names) -> str | None:
    """What "Node.widget" is set to; both may have dots."""
    for dot in (place for place, letter in enumerate(pattern) if letter == "."):
        name, widget = pattern[:dot], pattern[dot + 1 :]
        for id in _called(name, prompt, registry, names):
            value = _literal(prompt[id]["inputs"].get(widget), prompt)
            if value is not None:
                return value
    return None


def _called(
    name: str, prompt: Mapping[str, Any], registry: Registry, names: Names
) -> Iterator[str]:
    """The nodes of that name, those first that have it for this purpose."""
    known = [
        (id, entry["class_type"], _title(entry, registry))
        for id, entry in prompt.items()
        if next(_nodes({id: entry}), None) is not None
    ]
    yield from (id for id, type, _ in known if names.get(id, type) == name)
    yield from (id for id, _, title in known if title == name)
    yield from (id for id, type, _ in known if type == name)


def _title(entry: Any, registry: Registry) -> str:
    match entry:
        case {"_meta": {"title": str() as title}} if title:
            return title
        case _:
            spec = registry.get(entry["class_type"])
            return spec.display_name if spec is not None else entry["class_type"]


def _literal(value: Any, prompt: Mapping[str, Any]) -> str | None:
    """The value of a widget as a part of a name; None where there is none."""
    link = as_link(value)
    if link is not None:
        for source in _nodes({"": prompt.get(link.node)}):
            value = source.get("value")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 2**64 else None
    return _safe(value) if isinstance(value, str) else None


def _safe(value: str) -> str:
    name = _UNSAFE.sub("_", value)
    return name if name.strip(". ") else re.sub(r"[. ]", "_", name)


def _cut(part: str) -> str:
    """A part of a path, short enough for a number and an ending behind it."""
    return part.encode(errors="replace")[:LONGEST_NAME].decode(errors="ignore")
