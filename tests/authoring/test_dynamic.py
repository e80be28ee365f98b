"""Inputs that depend on the prompt: choices with inputs of their own, slots that grow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias, TypeVar

import pytest

from engine import (
    All,
    Artifact,
    Choice,
    DeclarationError,
    Each,
    Mark,
    Option,
    Range,
    Slots,
    Socket,
    Steps,
    Widget,
    node,
)
from engine.authoring.dynamic import flatten
from engine.authoring.spec import DYNAMIC_CHOICE, GROWING_SLOTS, NodeSpec, Output
from engine.graph.node_info import node_info

if TYPE_CHECKING:
    Image: TypeAlias = str
    Mask: TypeAlias = str
else:
    Image = Socket("IMAGE")
    Mask = Socket("MASK")

Either = TypeVar("Either", bound=Image | Mask)


class Fast(Option, key="fast"):
    """No inputs of its own."""


class Tuned(Option, key="tuned"):
    """Some."""

    strength: Annotated[float, Range(0, 2), Mark.ADVANCED] = 1.0
    like: Image
    note: str | None = "none"


class Codec(Option, key="codec"):
    """One that brings a further choice."""

    name: Annotated[str, Choice(["h264", "av1"])] = "h264"
    mode: Fast | Tuned


class Kept(NamedTuple):
    """What a node gives beside what it shows."""

    first: str
    shown: Artifact
    many: Each[str]


@node("Render", category="test", passes=("images",), experimental=True)
def render(
    *,
    images: Image,
    quality: Fast | Tuned | Codec,
    parts: Annotated[dict[str, Either], Slots("part", min=1, max=3)],
    numbers: Annotated[dict[str, int | float], Slots(("a", "b"), min=0)],
    color: Annotated[str, Widget("COLOR")] = "#000000",
) -> Artifact:
    """Everything at once."""
    return Artifact(made=[quality, parts, numbers, color])


@node("Keep", category="test")
def keep(*, lists: Annotated[dict[str, All[Any]], Slots("list")]) -> Kept:
    """Outputs beside an artifact."""
    return Kept("one", Artifact(text=["shown"]), [*lists])


def spec(function: Any) -> NodeSpec:
    return function.spec


def flat(**given: Any) -> NodeSpec:
    return flatten(spec(render), {"images": ["1", 0], **given})


def test_a_choice_brings_its_inputs_and_no_others():
    assert [input.name for input in flat().inputs] == ["images", "quality", "parts.part0", "color"]
    tuned = flat(quality="tuned").by_name
    assert tuned["quality.strength"].range == Range(0, 2)
    assert tuned["quality.strength"].advanced
    assert tuned["quality.like"].type == "IMAGE"
    assert tuned["quality.note"].optional
    nested = flat(**{"quality": "codec", "quality.mode": "tuned"}).by_name
    assert "quality.mode.strength" in nested
    assert nested["quality.mode"].choice == Choice(["fast", "tuned"])
    assert not {"quality.mode.strength"} & flat(quality="codec").by_name.keys()
    assert not flat(quality="tuned").is_dynamic


def test_slots_grow_as_they_are_given():
    given = {"parts.part2": ["2", 0], "parts.part9": ["3", 0], "numbers.b": 2}
    names = flat(**given).by_name
    assert [name for name in names if "." in name] == ["parts.part0", "parts.part2", "numbers.b"]
    assert not names["parts.part0"].optional, "the first are required"
    assert names["parts.part2"].optional
    assert names["parts.part0"].type == "IMAGE,MASK"
    assert names["numbers.b"].type == "INT,FLOAT"


def test_the_function_gets_one_value_for_each_parameter():
    arguments = {
        "images": "picture", "quality": "codec", "quality.name": "av1", "quality.mode": "tuned",
        "quality.mode.like": "other", "parts.part0": "x", "numbers.a": 1, "numbers.b": 2.5,
    }  # fmt: skip
    shown = flat(**arguments).function(**arguments)
    expected = Codec(name="av1", mode=Tuned(strength=1.0, like="other", note="none"))
    assert shown.shown["made"] == [expected, {"part0": "x"}, {"a": 1, "b": 2.5}, "#000000"]
    none = flat().function(**{"images": "p", "quality": "fast", "parts.part0": "x"})
    assert none.shown["made"][2] == {}, "no slot at all is an empty dict"


def test_a_node_without_such_inputs_is_left_as_it_is():
    @node("Plain", category="test")
    def plain(*, value: int) -> int:
        return value

    assert flatten(spec(plain), {"value": 3}) is spec(plain)


def test_outputs_beside_an_artifact_and_inputs_that_go_on():
    assert spec(keep).is_output
    assert spec(keep).outputs == (Output("first", "STRING"), Output("many", "STRING", each=True))
    returned = spec(keep).function(lists={"list0": [1]})
    assert isinstance(returned, Artifact)
    assert returned.outputs == ("one", ["list0"])
    assert returned.shown == {"text": ["shown"]}
    assert spec(render).outputs == (Output("images", "IMAGE", passthrough="images"),)


def test_object_info_describes_them():
    info = node_info(spec(render), lambda files: [])
    required = info["input"]["required"]
    assert required["quality"] == [DYNAMIC_CHOICE, {"options": [
        {"key": "fast", "inputs": {"required": {}, "optional": {}}},
        {"key": "tuned", "inputs": {
            "required": {
                "strength": ["FLOAT", {"default": 1.0, "min": 0, "max": 2, "advanced": True}],
                "like": ["IMAGE", {}],
            },
            "optional": {"note": ["STRING", {"default": "none"}]},
        }},
        {"key": "codec", "inputs": {
            "required": {
                "name": ["COMBO", {"options": ["h264", "av1"], "default": "h264"}],
                "mode": [DYNAMIC_CHOICE, {"options": [
                    {"key": "fast", "inputs": {"required": {}, "optional": {}}},
                    required["quality"][1]["options"][1],
                ]}],
            },
            "optional": {},
        }},
    ]}]  # fmt: skip
    matched = ["COMFY_MATCHTYPE_V3", {"template": {"template_id": "Either",
                                                  "allowed_types": "IMAGE,MASK"}}]  # fmt: skip
    assert required["parts"] == [GROWING_SLOTS, {"template": {
        "input": {"required": {"parts": matched}, "optional": {}},
        "prefix": "part", "min": 1, "max": 3,
    }}]  # fmt: skip
    assert required["numbers"][1]["template"]["names"] == ["a", "b"]
    assert required["numbers"][1]["template"]["input"]["required"] == {"numbers": ["INT,FLOAT", {}]}
    assert required["color"] == ["COLOR", {"default": "#000000"}]
    assert info["experimental"] is True
    assert info["output"] == ["IMAGE"]
    assert info["output_node"] is True


WRONG = {
    "'images' is optional": "def f(*, images: Image | None = None) -> Artifact: ...",
    "no output node": "def f(*, images: Image) -> Image: ...",
    "no such input": "def f(*, pictures: Image) -> Artifact: ...",
}


@pytest.mark.parametrize("declaration", WRONG.values(), ids=[*WRONG])
def test_only_an_output_node_passes_on_what_it_always_gets(declaration: str):
    source = (
        "from __future__ import annotations\nfrom engine import *\nImage = Socket('IMAGE')\n"
        f"@node('W', category='test', passes=('images',))\n{declaration}\n"
    )
    with pytest.raises(DeclarationError, match="cannot pass 'images' on"):
        exec(compile(source, "pack.py", "exec"), {"__name__": "pack"})


def test_a_long_node_cannot_give_outputs_beside_an_artifact():
    with pytest.raises(DeclarationError, match="only a plain function can"):

        @node("Long", category="test")
        def long(*, value: int) -> Steps[Kept]:  # pyright: ignore[reportUnusedFunction] - refused
            yield from ()
            return Kept("", Artifact(), [])
