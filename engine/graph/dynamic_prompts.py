r"""Texts that are another one for each seed: `{day|night}` is one of the two, `\{` a mere brace.

What stands between ``/*`` and ``*/``, or behind ``//`` to the end of the line (not behind a colon:
addresses), is a comment and left out. Choices may hold choices. Braces without a bar, or without
an end, are text. A text that as a whole is a list or an object of JSON is left as it is.

The editor does the same (`web/src/graph/variants.ts`), number by number: of n options the one at
``floor(r * n / 2**32)`` is taken, where the r are the numbers of Mulberry32 (T. Ettinger, 2017,
public domain), drawn in the order in which the choices stand, an option's own after the choice
that took it. It begins at the FNV-1a hash (32 bits) of the UTF-8 text ``seed:node:input``: the
prompt's seed, the id of the node and the name of the input. The prompt's seed is the sum, modulo
2**64, of all its inputs called `seed` or `noise_seed`, linked ones by the `value` of the node
they come from. A prompt without any draws one by chance.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, cast

from engine.authoring.dynamic import flatten
from engine.authoring.spec import NodeSpec
from engine.graph.old_files import TABLE
from engine.graph.prompt import as_link

Random: TypeAlias = Callable[[], int]
Part: TypeAlias = "str | list[list[Part]]"
"""A piece of text, or a choice: its options, each in parts."""

SEEDS = 2**64
NUMBERS = 2**32
_SPECIAL = re.compile(r"[{}\\]|/[/*]")
_COMMENT = re.compile(r"/\*.*?\*/|(?<!:)//[^\n]*", re.DOTALL)
_TOKEN = re.compile(r"\\.|[{}|]|[^\\{}|]+|\\", re.DOTALL)
_BEGINS_JSON = re.compile(r"[ \t\n\r]*[\[{]")
_ESCAPED = re.compile(r"\\([{}|])")


def numbers(seed: int, node: str, input: str) -> Random:
    """The numbers, each below 2**32, by which the choices of one text are made."""
    state = 0x811C9DC5
    for byte in f"{seed}:{node}:{input}".encode(errors="replace"):
        state = (state ^ byte) * 0x01000193 % NUMBERS

    def draw() -> int:
        nonlocal state
        state = (state + 0x6D2B79F5) % NUMBERS
        mixed = (state ^ state >> 15) * (state | 1) % NUMBERS
        mixed ^= (mixed + (mixed ^ mixed >> 7) * (mixed | 61)) % NUMBERS
        return (mixed ^ mixed >> 14) % NUMBERS

    return draw


def chosen(text: str, draw: Random) -> str:
    """The text with one option of each choice, without comments."""
    if not _SPECIAL.search(text) or _is_json(text):
        return text
    made: list[str] = []
    open = [iter(_parts(_COMMENT.sub("", text)))]
    while open:
        part = next(open[-1], None)
        if part is None:
            open.pop()
        elif isinstance(part, str):
            made.append(part)
        else:
            open.append(iter(part[draw() * len(part) // NUMBERS]))
    return _ESCAPED.sub(r"\1", "".join(made))


def _is_json(text: str) -> bool:
    if not _BEGINS_JSON.match(text):
        return False
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(f"JSON knows no {constant}")


def seed_of(prompt: Mapping[str, Any]) -> int:
    """The prompt's seed; by chance where it has none."""
    found = [seed for inputs in _inputs(prompt) for seed in _seeds(inputs, prompt)]
    return sum(found) % SEEDS if found else secrets.randbelow(SEEDS)


def dynamic_texts(spec: NodeSpec, inputs: Mapping[str, Any]) -> list[str]:
    """The inputs of a node whose texts make choices."""
    return [
        input.name
        for input in flatten(spec, inputs).inputs
        if input.text is not None
        and input.text.dynamic_prompts
        and isinstance(inputs.get(input.name), str)
    ]


def _parts(text: str) -> list[Part]:
    """The choices of a text, in one go: however deep they are, or how many have no end."""
    open: list[list[list[Part]]] = [[[]]]
    for token in _TOKEN.findall(text):
        if token == "{":
            open.append([[]])
        elif token == "|" and len(open) > 1:
            open[-1].append([])
        elif token == "}" and len(open) > 1:
            options = open.pop()
            whole = ["{", *options[0], "}"] if len(options) == 1 else [options]
            open[-1][-1].extend(whole)
        else:
            open[-1][-1].append(token)
    (found,), *endless = open
    for first, *others in endless:
        found += ["{", *first]
        for option in others:
            found += ["|", *option]
    return found


def _inputs(prompt: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in prompt.values():
        match entry:
            case {"inputs": dict()}:
                yield cast("dict[str, Any]", entry["inputs"])
            case _:
                continue


def _seeds(inputs: Mapping[str, Any], prompt: Mapping[str, Any]) -> Iterator[int]:
    for name in TABLE.seeds:
        value = inputs.get(name)
        link = as_link(value)
        if link is not None:
            for source in _inputs({"": prompt.get(link.node)}):
                value = source.get("value")
        if type(value) is int:
            yield value
