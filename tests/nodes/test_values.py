"""Plain values, texts, choices."""

from __future__ import annotations

from typing import Any

import pytest

from nodes import structure, text
from nodes.models.data import patterns
from nodes.models.data.patterns import PatternError
from tests.models.bench import Bench, n


def shown(entry: Any, node: str) -> str:
    (value,) = entry.outcome.shown[node]["text"]
    return value


# --- through the engine ----------------------------------------------------------------------


async def test_values_become_a_text(bench: Bench):
    prompt = {
        "1": n("PrimitiveString", value="steps"),
        "2": n("PrimitiveInt", value=-7),
        "3": n("PrimitiveStringMultiline", value="one\ntwo"),
        "4": n("StringConcatenate", string_a=["1", 0], string_b=["3", 0], delimiter=": "),
        "5": n("PreviewAny", source=["4", 0]),
        "6": n("PreviewAny", source=["2", 0]),
        "7": n("PrimitiveFloat", value=0.5),
        "8": n("PreviewAny", source=["7", 0]),
        "9": n("PrimitiveBoolean", value="false"),
        "10": n("PreviewAny", source=["9", 0]),
        "11": n("SeedNode", seed=2**63 - 1),
        "12": n("PreviewAny", source=["11", 0]),
        "13": n("PreviewAny", source={"a": [1, None]}),
        "14": n("SolidMask", value=1.0, width=2, height=1),
        "15": n("PreviewAny", source=["14", 0]),
        "16": n("StringLength", string=["4", 0]),
        "17": n("PreviewAny", source=["16", 0]),
    }
    (entry,) = await bench.run(prompt)
    assert entry.outcome.status == "success", entry
    assert {id: shown(entry, id) for id in ("5", "6", "8", "10", "12", "17")} == {
        "5": "steps: one\ntwo",
        "6": "-7",
        "8": "0.5",
        "10": "False",
        "12": str(2**63 - 1),
        "17": "14",
    }
    assert shown(entry, "13") == '{\n  "a": [\n    1,\n    null\n  ]\n}'
    assert "tensor" in shown(entry, "15")


@pytest.mark.parametrize(("switch", "expected"), [(True, "yes"), (False, "no")])
async def test_a_switch_computes_only_what_it_chose(bench: Bench, switch: bool, expected: str):
    prompt = {
        "1": n("PrimitiveString", value=expected),
        "2": n("RegexMatch", string="", regex_pattern="(", case_insensitive=True,
               multiline=False, dotall=False),
        "3": n("ComfySwitchNode", switch=switch,
               on_true=["1", 0] if switch else ["2", 0],
               on_false=["2", 0] if switch else ["1", 0]),
        "4": n("PreviewAny", source=["3", 0]),
    }  # fmt: skip
    (entry,) = await bench.run(prompt)
    assert entry.outcome.status == "success", entry
    assert shown(entry, "4") == expected


async def test_a_switch_to_nothing_says_what_to_connect(bench: Bench):
    one_side = {
        "1": n("ComfySwitchNode", switch=True, on_false="literal"),
        "2": n("PreviewAny", source=["1", 0]),
    }
    other = {
        "1": n("ComfySwitchNode", switch=False, on_false="literal"),
        "2": n("PreviewAny", source=["1", 0]),
    }
    failed, good = await bench.run(one_side, other)
    assert failed.outcome.status == "error"
    assert "on_true is not connected" in str(failed.outcome)
    assert shown(good, "2") == "literal"


# --- texts -----------------------------------------------------------------------------------


def test_texts_are_cut_trimmed_and_replaced():
    assert text.substring(string="soundstage", start=5, end=-2) == "sta"
    assert text.substring(string="ab", start=5, end=99) == ""
    assert text.trim(string=" a ", mode="Left") == "a "
    assert text.trim(string=" a ", mode="Right") == " a"
    assert text.trim(string="\n a\t", mode="Both") == "a"
    assert text.replace(string="a.b.c", find=".", replace="-") == "a-b-c"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("UPPERCASE", "ÉTÉ AT SEA"),
        ("lowercase", "été at sea"),
        ("Capitalize", "Été at sea"),
        ("Title Case", "Été At Sea"),
    ],
)
def test_texts_change_their_case(mode: str, expected: str):
    assert text.convert_case(string="été AT sea", mode=mode) == expected


def test_texts_are_compared():
    assert text.contains(string="Cat", substring="cAT", case_sensitive=False).contains
    assert not text.contains(string="Cat", substring="cAT").contains
    assert text.compare(string_a="Cat", string_b="Ca", mode="Starts With")
    assert text.compare(string_a="Cat", string_b="AT", mode="Ends With", case_sensitive=False)
    assert not text.compare(string_a="Cat", string_b="AT", mode="Equal")


@pytest.mark.parametrize(
    ("json", "expected"),
    [('{"a": 1}', "1"), ('{"a": "é"}', "é"), ('{"a": null}', ""), ('{"b": 1}', ""), ("[", ""),
     ("[1]", ""), ("[" * 100_000, "")],
)  # fmt: skip
def test_a_value_is_taken_out_of_json(json: str, expected: str):
    assert structure.extract_json(json_string=json, key="a") == expected


# --- regular expressions ---------------------------------------------------------------------


def test_the_node_offers_every_way_of_extracting():
    assert text.EXTRACTIONS == patterns.MODES


@pytest.mark.parametrize(
    ("mode", "group", "expected"),
    [
        ("First Match", 1, "a1"),
        ("All Matches", 1, "a1\nb22\nC3"),
        ("First Group", 1, "a"),
        ("First Group", 2, "1"),
        ("First Group", 0, "a1"),
        ("All Groups", 2, "1\n22\n3"),
    ],
)
def test_what_a_pattern_finds_is_extracted(mode: str, group: int, expected: str):
    found = text.regex_extract(
        string="a1 b22; C3", regex_pattern=r"([a-z])(\d+)", mode=mode, group_index=group
    )
    assert found == expected


def test_nothing_found_is_an_empty_text():
    for mode in text.EXTRACTIONS:
        assert text.regex_extract(string="abc", regex_pattern=r"(\d)", mode=mode) == ""
    assert text.regex_extract(string="b", regex_pattern="(a)?b", mode="First Group") == ""


def test_flags_of_a_pattern():
    def matches(pattern: str, **flags: bool) -> bool:
        return text.regex_match(string="One\nTwo", regex_pattern=pattern, **flags).matches

    assert matches("one")
    assert not matches("one", case_insensitive=False)
    assert matches("^Two", multiline=True)
    assert not matches("^Two")
    assert matches("One.Two", dotall=True)
    assert not matches("One.Two")


@pytest.mark.parametrize("pattern", ["(", "[", "a{2,1}", "(?P<n>a)(?P<n", "*"])
def test_a_broken_pattern_is_quoted(pattern: str):
    with pytest.raises(PatternError, match="is no regular expression"):
        text.regex_match(string="a", regex_pattern=pattern)


def test_a_group_that_is_not_there_is_told():
    with pytest.raises(PatternError, match=r"has 1 group\(s\), and no group 2"):
        text.regex_extract(string="a", regex_pattern="(a)", mode="All Groups", group_index=2)


def test_a_pattern_that_never_ends_is_given_up():
    with pytest.raises(PatternError, match=r"no answer within 3 s"):
        text.regex_extract(string="a" * 5000 + "b", regex_pattern=r"(a|aa)+$", mode="All Matches")
