"""Expressions, numbers from anything, sizes from proportions, texts with places, lists."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes import logic, maths, structure, text
from nodes.models.data.expressions import ExpressionError, value_of
from nodes.models.data.patterns import PatternError
from nodes.models.data.templates import TemplateError
from tests.models.bench import Bench, n
from tests.nodes.test_values import shown

NUMBERS: dict[str, Any] = {"a": 7, "b": 2.5, "c": -3}

# What the templates of ComfyUI's package ask, and what Python makes of it.
ASKED = {
    "a": 7,
    "a/2": 3.5,
    "a * b + 1": 18.5,
    "floor(a * b) + 1": 18,
    "(b - c) * (a - 1)": 33.0,
    "(a // 32) * 32": 0,
    "max(((a + 15) // 16) * 16, 256)": 256,
    "max(5, round(a * 24)) + (5 - (max(5, round(a * 24)) % 17)) % 17": 175,
    "min(abs(b), 16) * a": 17.5,
    "ceil(1.5 * log2(max(a, b))) + 2": 7,
    "a & ~1": 6,
    "a & -8": 0,
    "a > 2048": False,
    "(a % 4 == 1) and ((c - 1) % 4 == 0)": False,
    "a % b if b > 0 else 0": 2.0,
    "1 < a < 10": True,
    "not a or c": -3,
    "values[0] + values[-1]": 4,
    "sum(values)": 6.5,
    "sum(a, b)": 9.5,
    "pow(a, 2) ** 0.5": 7.0,
    "1 << 4 | 3 ^ 1": 18,
    "int(b) + float(a)": 9.0,
}

WRONG = {
    "": "is blank",
    "   ": "is blank",
    "a +": "cannot be read",
    "d": "nothing is called 'd'",
    "a.real": "is not arithmetic",
    "__import__(1)": "there is no function '__import__'",
    "().__class__": "is not arithmetic",
    "[x for x in values]": "is not arithmetic",
    "lambda: 1": "is not arithmetic",
    "'text'": "is not arithmetic",
    "max(a, key=b)": "is not arithmetic",
    "2 ** 4001": "an exponent is beyond",
    "(9 ** 4000) ** 4000": "more than 65536 bits",
    "1 << 10 ** 9": "more than 65536 bits",
    "9 ** 4000 * 9 ** 4000 * 9 ** 4000 * 9 ** 4000 * 9 ** 4000 * 9 ** 4000": "more than 65536",
    "1 / 0": "divides by zero",
    "values[9]": "beyond the last value",
    "values": "comes to no finite number",
    "1e308 * 10": "comes to no finite number",
    "(-8) ** 0.5": "a root of a negative number",
    "values * 1000000000": "only numbers can be computed with",
    "sqrt(-1)": "expression",
    "1 + " * 6000 + "1": "longer than",
    "-" * 9000 + "1": "cannot be read",
    "a in values": "there is no comparison In",
    "a @ b": "there is no operator MatMult",
}


@pytest.mark.parametrize("expression", ASKED)
def test_expressions_come_to_what_python_says(expression: str):
    names = {**NUMBERS, "values": [7, 2.5, -3]}
    assert value_of(expression, names) == ASKED[expression]


@pytest.mark.parametrize("expression", WRONG)
def test_an_expression_without_a_value_says_why(expression: str):
    with pytest.raises(ExpressionError, match=r"^expression") as caught:
        value_of(expression, {**NUMBERS, "values": [7, 2.5, -3]})
    assert WRONG[expression] in str(caught.value)


@given(st.text(alphabet="ab12.()+-*/%<>=!&|^~ ,[]", max_size=40))
def test_any_text_is_an_expression_or_an_error(expression: str):
    with contextlib.suppress(ExpressionError):
        assert math.isfinite(value_of(expression, {"a": 3, "b": 2.5, "values": [3, 2.5]}))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, (1.0, 1)),
        (-3.9, (-3.9, -3)),
        (" 12 ", (12.0, 12)),
        ("12.9", (12.9, 12)),
        (str(2**63 + 1), (float(2**63), 2**63 + 1)),
        ("1e3", (1000.0, 1000)),
    ],
)
def test_numbers_from_anything(value: Any, expected: tuple[float, int]):
    made = maths.convert_number(value=value)
    assert tuple(made) == expected
    assert isinstance(made.INT, int)


@pytest.mark.parametrize("value", ["", "twelve", "nan", "1e999", math.inf])
def test_what_is_no_number_is_told(value: Any):
    with pytest.raises(ValueError, match=r"^value: "):
        maths.convert_number(value=value)


@pytest.mark.parametrize(
    ("aspect", "megapixels", "multiple", "size"),
    [
        ("1:1 (Square)", 1.0, 8, (1024, 1024)),
        ("16:9 (Widescreen)", 1.0, 8, (1368, 768)),
        ("2:3 (Portrait Photo)", 0.5, 64, (576, 896)),
        ("21:9 (Ultrawide)", 2.0, None, (2216, 952)),
    ],
)
def test_sizes_from_proportions(
    aspect: str, megapixels: float, multiple: int | None, size: tuple[int, int]
):
    made = maths.select_resolution(aspect_ratio=aspect, megapixels=megapixels, multiple=multiple)
    assert tuple(made) == size
    assert made.width * made.height == pytest.approx(megapixels * 2**20, rel=0.06)


def test_texts_with_places():
    values: dict[str, Any] = {"a": 3.14159, "b": "cat", "c": [10, 20]}
    assert text.format_text(values=values, f_string="{a:.2f} {b!r} {c[1]:>4} {{}}") == (
        "3.14 'cat'   20 {}"
    )
    assert text.format_text(values={}, f_string="plain") == "plain"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{z}", "there is no {z}; connected is {a}"),
        ("{0}", "there is no"),
        ("{a", "a brace has no partner"),
        ("{a.__class__}", "asks for an attribute"),
        ("{a[0].__class__.__base__}", "asks for an attribute"),
        ("{a:>99999999999}", "wider than"),
        ("{a:{b}}", "wider than"),
        ("{a:d}", "does not fit a text"),
    ],
)
def test_a_place_that_cannot_be_filled_is_told(template: str, words: str):
    with pytest.raises(TemplateError) as caught:
        text.format_text(values={"a": "x", "b": "10000000"}, f_string=template)
    assert words in str(caught.value)


def test_regular_expressions_replace():
    def replaced(pattern: str, by: str, count: int | None = 0, insensitive: bool = True) -> str:
        return text.regex_replace(
            string="Cat and cat\nand CAT",
            regex_pattern=pattern,
            replace=by,
            case_insensitive=insensitive,
            count=count,
        )

    assert replaced("cat", "dog") == "dog and dog\nand dog"
    assert replaced("cat", "dog", count=1) == "dog and cat\nand CAT"
    assert replaced("cat", "dog", insensitive=False) == "Cat and dog\nand CAT"
    assert replaced(r"(\w+) and (\w+)", r"\2 & \1", count=None) == "cat & Cat\nand CAT"
    with pytest.raises(PatternError, match="cannot be filled in"):
        replaced("cat", r"\7")
    with pytest.raises(PatternError, match="no answer within"):
        text.regex_replace(string="a" * 40 + "b", regex_pattern="(a|aa)+$", replace="")


def test_json_from_values_and_parts():
    assert structure.array_to_text(array=[1, {"ä": None}], indent=0) == '[1, {"ä": null}]'
    assert structure.dictionary_to_text(dictionary={"a": [1]}, indent=1) == '{\n "a": [\n  1\n ]\n}'
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        structure.array_to_text(array=[object()])
    (prompt,) = structure.ideogram_prompt(
        element=[{"type": "obj"}],
        high_level_description="  ",
        style=structure.ArtStyle(art_style="ink"),
        lighting="soft",
        color_palette=["#ff00aa"],
    )
    assert list(prompt) == ["style_description", "compositional_deconstruction"]
    assert prompt["style_description"] == {
        "aesthetics": "",
        "lighting": "soft",
        "medium": "",
        "art_style": "ink",
        "color_palette": ["#FF00AA"],
    }


def test_items_of_lists():
    assert structure.item_of_list(list=[1, 2, 3], index=-1) == 3
    with pytest.raises(IndexError, match="the list has 3 items"):
        structure.item_of_list(list=[1, 2, 3], index=3)
    assert tuple(logic.custom_choice(choice="two", index=None)) == ("two", 0)


# --- through the engine ----------------------------------------------------------------------


async def test_growing_slots_and_choices_by_their_dotted_names(bench: Bench):
    prompt = {
        "1": n("PrimitiveInt", value=40),
        "2": {
            "class_type": "ComfyMathExpression",
            "inputs": {"expression": "a + b", "values.a": ["1", 0], "values.b": 2},
        },
        "3": {"class_type": "StringFormat", "inputs": {"f_string": "{a}/{c}", "values.a": ["2", 1],
                                                      "values.c": "x"}},
        "4": n("PreviewAny", source=["3", 0]),
        "5": {"class_type": "CreateList", "inputs": {"inputs.input0": ["1", 0],
                                                    "inputs.input2": ["4", 0]}},
        "6": n("GetItemFromList", list=["5", 0], index=1),
        "7": n("PreviewAny", source=["6", 0]),
        "8": n("PreviewAny", source=["5", 0]),
        "9": n("SaveText", text=["4", 0], filename_prefix="notes/it", format="md"),
        "10": n("PreviewAny", source=["9", 0]),
    }  # fmt: skip
    (entry,) = await bench.run(prompt)
    assert entry.outcome.status == "success", entry.outcome
    assert shown(entry, "4") == "42/x"
    assert shown(entry, "7") == "42/x"
    assert entry.outcome.shown["8"] == {"text": ["40", "42/x"]}
    assert (bench.home / "output" / "notes" / "it_00001.md").read_text() == "42/x"
    assert shown(entry, "10") == "42/x"
