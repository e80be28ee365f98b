"""Templates and expressions that cannot be worked out fail in words, never in Python's own."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.models.data.expressions import FUNCTIONS, ExpressionError, value_of
from nodes.models.data.templates import TemplateError, filled

RAW = re.compile(
    r"tuple index|out of range|object|NoneType|'\w+' and|math domain|unsupported|positional|"
    r"format string|0x[0-9a-f]{4}|Traceback|Exceeds"
)
VALUES: dict[str, Any] = {"a": 3, "b": 2.5, "c": "text", "d": [1, 2], "e": None}


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{0}", "there is no {0}; connected is {a}, {b}"),
        ("{}", "there is no {0}; connected is"),
        ("{z}", "there is no {z}"),
        ("{a.real}", "asks for an attribute"),
        ("{d[0].real}", "asks for an attribute"),
        ("{d[7]}", "has no item [7]; it is a list"),
        ("{a[0]}", "has no item [0]; it is a whole number"),
        ("{c:d}", "the format 'd' does not fit a text"),
        ("{d:.2f}", "does not fit a list"),
        ("{e:5}", "does not fit nothing"),
        ("{a:1000000000}", "wider than"),
        ("{a:{b}{b}}", "does not fit a whole number"),
        ("{a", "a brace has no partner"),
        ("a}", "a brace has no partner"),
        ("{a!x}", "no place such as"),
    ],
)
def test_a_template_that_cannot_be_filled_says_why(template: str, words: str):
    with pytest.raises(TemplateError, match=re.escape(words)) as told:
        filled(template, VALUES)
    assert not RAW.search(str(told.value))


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("a / 0", "divides by zero"),
        ("a % 0", "divides by zero"),
        ("0 ** -1", "divides by zero"),
        ("10.0 ** 4000", "too large"),
        ("9 ** 9 ** 9", "exponent is beyond"),
        ("1 << 99999999", "more than"),
        ("1 << -1", "has no value there"),
        ("sqrt(-1)", "has no value there"),
        ("(-8) ** 0.5", "root of a negative"),
        ("nope(1)", "there is no function 'nope'; there is sum, pow, min"),
        ("nope", "nothing is called 'nope'; there is a, b, values"),
        ("values[9]", "an index is beyond"),
        ("min()", "a function gets too few"),
        ("sqrt()", "a function gets too few"),
        ("pow(1)", "a function gets too few"),
        ("-values", "a list stands for a number"),
        ("values", "no finite number"),
        ("a.real", "is not arithmetic"),
        ("__import__('os')", "is not arithmetic|there is no function"),
        ("a +", "cannot be read"),
    ],
)
def test_an_expression_that_has_no_value_says_why(expression: str, words: str):
    with pytest.raises(ExpressionError, match=words) as told:
        value_of(expression, {"a": 3, "b": 2.5, "values": [3, 2.5]})
    assert not RAW.search(str(told.value))


@given(st.text(alphabet="{}ab[]0.:!d>5fz", max_size=14))
@settings(max_examples=200, deadline=None)
def test_any_template_is_filled_or_refused_in_words(template: str):
    try:
        filled(template, VALUES)
    except TemplateError as error:
        told = str(error)
    else:
        told = ""
    assert not RAW.search(told)


PARTS = st.sampled_from(
    [
        "a",
        "b",
        "values",
        "0",
        "1",
        "-",
        "(",
        ")",
        "[",
        "]",
        "+",
        "/",
        "**",
        ",",
        "<<",
        "%",
        " if a else ",
        " and ",
        "not ",
        "~",
        *FUNCTIONS,
        "sum",
        "pow",
    ]
)


@given(st.lists(PARTS, max_size=9))
@settings(max_examples=200, deadline=None)
def test_any_expression_has_a_value_or_says_why_not(parts: list[str]):
    try:
        value_of(" ".join(parts), {"a": 3, "b": 0.5, "values": [3, 0.5]})
    except ExpressionError as error:
        told = str(error)
    else:
        told = ""
    assert not RAW.search(told)
