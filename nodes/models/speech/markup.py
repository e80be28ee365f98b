"""Markup that people paste with a text: Markdown, HTML, hyphens that only break lines."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from nodes.models.speech.phonemes import EXPLICIT

Rewrite = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]

_BLOCKS = (
    "p|div|br|hr|li|ul|ol|h[1-6]|tr|table|thead|tbody|blockquote|pre|section|article|header|footer"
)
_INLINE = (
    "a|abbr|b|big|body|center|cite|code|del|em|font|head|html|i|img|ins|kbd|label|mark|q|s|samp|small|"
    "span|strike|strong|sub|sup|td|th|time|tt|u|var"
)
_LINK = re.compile(
    r"!?\[([^\[\]]*)\](?:\([^()\s]*(?:\([^()]*\)[^()\s]*)?(?:\s+\"[^\"]*\")?\)|\[[^\[\]]*\])"
)


def unmarked(text: str) -> str:
    """The text as it is seen on a page: without tags, link addresses, emphasis and soft hyphens.

    Explicit phonemes stay. What is no markup is left alone ("a < b", "5 * 3", "snake_case").
    """
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def _entity(found: re.Match[str]) -> str:
    return html.unescape(found[0]).replace("\xa0", " ")


def _link(found: re.Match[str]) -> str:
    """The text of a link or picture; explicit phonemes are no link."""
    return found[0] if EXPLICIT.fullmatch(found[0]) else found[1]


_RULES: tuple[Rewrite, ...] = (
    (re.compile("\u00ad\\s*|[\u200b\u2060\ufeff]"), ""),
    (re.compile(r"(?<=[a-z])[-‐]\r?\n[ \t]*(?=[a-z])"), ""),
    (
        re.compile(
            r"<!--(?:(?!<!--).){0,9999}?-->|<(script|style)\b(?:(?!<\1).){0,9999}?</\1\s*>",
            re.DOTALL | re.IGNORECASE,
        ),
        " ",
    ),
    (re.compile(rf"</?(?:{_BLOCKS})(?:\s[^<>]*)?/?>", re.IGNORECASE), "\n"),
    (re.compile(rf"</?(?:{_INLINE})(?:\s[^<>]*)?/?>", re.IGNORECASE), ""),
    (re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8}\d{0,2});"), _entity),
    (re.compile(r"^[ \t]*(?:```|~~~).*$", re.MULTILINE), ""),
    (re.compile(r"^[ \t]*\|?(?:[ \t]*:?-{3,}:?[ \t]*\|)+[ \t:-]*$", re.MULTILINE), ""),
    (
        re.compile(
            r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-*+][ \t]+(?:\[[ xX]\][ \t]+)?)", re.MULTILINE
        ),
        "",
    ),
    (re.compile(r"\[\^[\w-]+\]:?"), ""),
    (_LINK, _link),
    (re.compile(r"<(?=https?://)([^<>\s]+)>"), r"\1"),
    (re.compile(r"~~(?=\S)(.{1,500}?)(?<=\S)~~"), r"\1"),
    (re.compile(r"(?<!\w)(\*\*\*|\*\*|\*|___|__|_)(?=\S)(.{1,500}?)(?<=\S)\1(?!\w)"), r"\2"),
    (re.compile(r"`+([^`\n]+)`+"), r"\1"),
)
