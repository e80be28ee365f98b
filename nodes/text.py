"""Nodes for strings: join, cut, search, replace, save."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from string import ascii_lowercase
from typing import Annotated, Any, NamedTuple

from engine import Artifact, Choice, Mark, Range, Run, Slots, Text, Tooltip, node
from nodes.widgets import Prefix

CASES: Mapping[str, Callable[[str], str]] = {
    "UPPERCASE": str.upper,
    "lowercase": str.lower,
    "Capitalize": str.capitalize,
    "Title Case": str.title,
}
TRIMS: Mapping[str, Callable[[str], str]] = {
    "Both": str.strip,
    "Left": str.lstrip,
    "Right": str.rstrip,
}
COMPARISONS: Mapping[str, Callable[[str, str], bool]] = {
    "Starts With": str.startswith,
    "Ends With": str.endswith,
    "Equal": str.__eq__,
}
# As nodes.models.data.patterns.MODES.
EXTRACTIONS = ("First Match", "All Matches", "First Group", "All Groups")

Long = Annotated[str, Text(multiline=True), Tooltip("The text.")]
First = Annotated[Long, Tooltip("The first text.")]
Second = Annotated[Long, Tooltip("The second text.")]
Pattern = Annotated[
    str, Text(multiline=True), Tooltip("A regular expression in Python's notation.")
]
CaseSensitive = Annotated[bool, Tooltip("a is not A.")]
CaseInsensitive = Annotated[bool, Tooltip("a is also A.")]
Multiline = Annotated[bool, Tooltip("^ and $ also stand at the ends of lines.")]
DotAll = Annotated[bool, Tooltip("The dot also stands for the end of a line.")]


class Length(NamedTuple):
    """How long a text is."""

    length: int


class Contains(NamedTuple):
    """Whether a text is in another."""

    contains: bool


class Matches(NamedTuple):
    """Whether a pattern is found."""

    matches: bool


@node("StringConcatenate", category="utils/string", display_name="Concatenate")
def concatenate(
    *, string_a: First, string_b: Second, delimiter: Annotated[str, Tooltip("Goes between them.")]
) -> str:
    """Two texts in one."""
    return string_a + delimiter + string_b


@node("StringSubstring", category="utils/string", display_name="Substring")
def substring(
    *,
    string: Long,
    start: Annotated[int, Tooltip("Counted from 0; negative counts from the end.")],
    end: Annotated[int, Tooltip("The first that is left out; negative counts from the end.")],
) -> str:
    """A part of a text."""
    return string[start:end]


@node("StringLength", category="utils/string", display_name="Length")
def length(*, string: Long) -> Length:
    """How many characters a text has."""
    return Length(len(string))


@node("CaseConverter", category="utils/string", display_name="Case Converter")
def convert_case(
    *,
    string: Long,
    mode: Annotated[str, Choice([*CASES]), Tooltip("Which letters become capitals.")],
) -> str:
    """A text in capitals, or without."""
    return CASES[mode](string)


@node("StringTrim", category="utils/string", display_name="Trim")
def trim(*, string: Long, mode: Annotated[str, Choice([*TRIMS]), Tooltip("At which end.")]) -> str:
    """A text without white space at its ends."""
    return TRIMS[mode](string)


@node("StringReplace", category="utils/string", display_name="Replace")
def replace(
    *,
    string: Long,
    find: Annotated[Long, Tooltip("What is replaced.")],
    replace: Annotated[Long, Tooltip("What comes in its place.")],
) -> str:
    """A text with each occurrence of another replaced."""
    return string.replace(find, replace)


@node("StringContains", category="utils/string", display_name="Contains")
def contains(
    *,
    string: Long,
    substring: Annotated[Long, Tooltip("What is looked for.")],
    case_sensitive: CaseSensitive = True,
) -> Contains:
    """Whether a text is in another."""
    text, part = _comparable(string, substring, case_sensitive)
    return Contains(part in text)


@node("StringCompare", category="utils/string", display_name="Compare")
def compare(
    *,
    string_a: First,
    string_b: Second,
    mode: Annotated[str, Choice([*COMPARISONS]), Tooltip("What the second text is to the first.")],
    case_sensitive: CaseSensitive = True,
) -> bool:
    """Whether the first text begins or ends with the second, or is the same."""
    return COMPARISONS[mode](*_comparable(string_a, string_b, case_sensitive))


@node("RegexMatch", category="utils/string", display_name="Regex Match")
def regex_match(
    *,
    string: Long,
    regex_pattern: Pattern,
    case_insensitive: CaseInsensitive = True,
    multiline: Multiline = False,
    dotall: DotAll = False,
) -> Matches:
    """Whether a regular expression is found anywhere in a text."""
    from nodes.models.data.patterns import compiled, found

    pattern = compiled(
        regex_pattern, case_insensitive=case_insensitive, multiline=multiline, dotall=dotall
    )
    return Matches(found(pattern, string))


@node("RegexExtract", category="utils/string", display_name="Regex Extract")
def regex_extract(
    *,
    string: Long,
    regex_pattern: Pattern,
    mode: Annotated[
        str, Choice(EXTRACTIONS), Tooltip("Several come on a line each; nothing found is empty.")
    ],
    case_insensitive: CaseInsensitive = True,
    multiline: Multiline = False,
    dotall: DotAll = False,
    group_index: Annotated[
        int, Range(0, 100), Tooltip("Which parentheses of the pattern, for the Group modes.")
    ] = 1,
) -> str:
    """What a regular expression finds in a text: whole matches, or one group of them."""
    from nodes.models.data.patterns import compiled, extracted

    pattern = compiled(
        regex_pattern, case_insensitive=case_insensitive, multiline=multiline, dotall=dotall
    )
    return extracted(pattern, string, mode, group_index)


@node("RegexReplace", category="utils/string", display_name="Regex Replace")
def regex_replace(
    *,
    string: Long,
    regex_pattern: Pattern,
    replace: Annotated[
        str, Text(multiline=True), Tooltip("\\1 stands for the pattern's first parentheses.")
    ],
    case_insensitive: CaseInsensitive | None = True,
    multiline: Multiline | None = False,
    dotall: DotAll | None = False,
    count: Annotated[int, Range(0, 100), Tooltip("How many at most; 0 for all.")] | None = 0,
) -> str:
    """A text with what a regular expression finds replaced."""
    from nodes.models.data.patterns import compiled, replaced

    pattern = compiled(
        regex_pattern,
        case_insensitive=bool(case_insensitive),
        multiline=bool(multiline),
        dotall=bool(dotall),
    )
    return replaced(pattern, string, replace, count or 0)


@node("StringFormat", category="text", display_name="Format Text")
def format_text(
    *,
    values: Annotated[
        dict[str, Any], Slots(tuple(ascii_lowercase), min=0), Tooltip("Put in by letter.")
    ],
    f_string: Annotated[
        str, Text(multiline=True), Tooltip("{a} is the value of a, {a:.2f} with two decimals.")
    ] = "{a}",
) -> str:
    """A text with the connected values put in, in the notation of Python's str.format."""
    from nodes.models.data.templates import filled

    return filled(f_string, values)


@node("SaveText", category="text", display_name="Save Text", passes=("text",))
def save_text(
    run: Run,
    *,
    text: Annotated[str, Mark.SOCKET, Tooltip("The text to keep.")],
    filename_prefix: Prefix = "ComfyUI",
    format: Annotated[
        str, Choice(("txt", "csv", "md", "json")), Tooltip("Of the file; json is indented.")
    ] = "txt",
) -> Artifact:
    """Keep a text as a file of the output folder; JSON is indented."""
    written = _indented(text) if format == "json" else text
    file = run.save(filename_prefix, format, written.encode(errors="replace"), end="")
    return Artifact(text=[text], files=[file])


def _indented(text: str) -> str:
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return text


def _comparable(first: str, second: str, case_sensitive: bool) -> tuple[str, str]:
    return (first, second) if case_sensitive else (first.lower(), second.lower())
