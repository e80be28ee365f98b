"""Dotted names in prompts: what is missing or wrong among them is told as everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nodes
from engine.authoring.registry import Registry
from engine.graph.errors import PromptError
from engine.graph.validate import validate
from engine.run.engine import plain_config
from engine.store.folders import Folders

PICTURE = {
    "class_type": "EmptyImage",
    "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0},
}
TEXT = {"class_type": "PrimitiveString", "inputs": {"value": "png"}}


@pytest.fixture(scope="module")
def known() -> Registry:
    registry = Registry()
    registry.add_pack(nodes)
    return registry


async def complaints(
    known: Registry, home: Path, class_type: str, **inputs: Any
) -> list[tuple[str, str]]:
    """What is wrong with one node: (type, input)."""
    shows = known[class_type].is_output
    prompt: dict[str, Any] = {
        "1": PICTURE,
        "2": TEXT,
        "3": {"class_type": class_type, "inputs": inputs},
    }
    if not shows:
        prompt["4"] = {"class_type": "PreviewAny", "inputs": {"source": ["3", 0]}}
    try:
        await validate(prompt, known, Folders(home), plain_config)
    except PromptError as refused:
        return [
            (error.type, error.extra_info.get("input_name", error.details))
            for error in refused.node_errors["3"].errors
        ]
    return []


SAVE: dict[str, Any] = {"images": ["1", 0], "filename_prefix": "x"}
PNG: dict[str, Any] = {"format.bit_depth": "8-bit", "format.input_color_space": "sRGB"}
MATHS: dict[str, Any] = {"expression": "a"}


@pytest.mark.parametrize(
    ("class_type", "inputs", "expected"),
    [
        ("SaveImageAdvanced", {**SAVE, "format": "png", **PNG}, []),
        ("SaveImageAdvanced", {**SAVE, "format": "png"}, [
            ("required_input_missing", "format.bit_depth"),
            ("required_input_missing", "format.input_color_space"),
        ]),
        ("SaveImageAdvanced", {**SAVE, "format": "png", **PNG, "format.bit_depth": "9-bit"},
         [("value_not_in_list", "format.bit_depth")]),
        ("SaveImageAdvanced", {**SAVE, "format": "gif", **PNG}, [("value_not_in_list", "format")]),
        ("SaveImageAdvanced", {**SAVE, "format": ["2", 0], **PNG},
         [("return_type_mismatch", "format")]),
        ("SaveImageAdvanced", SAVE, [("required_input_missing", "format")]),
        ("ComfyMathExpression", {**MATHS, "values.a": 3, "values.b": True}, []),
        ("ComfyMathExpression", {**MATHS, "values.b": 3}, [("required_input_missing", "values.a")]),
        ("ComfyMathExpression", {**MATHS, "values.a": ["1", 0]},
         [("return_type_mismatch", "values.a")]),
        ("ComfyMathExpression", {**MATHS, "values.a": "x"}, [("invalid_input_type", "values.a")]),
        ("BatchImagesNode", {"images.image0": ["1", 0], "images.image49": ["1", 0]}, []),
        ("BatchImagesNode", {"images.image0": 3}, [("bad_linked_input", "images.image0")]),
        ("StringFormat", {"f_string": "x"}, []),
        ("RegexReplace", {"string": "", "regex_pattern": "", "replace": "", "count": None}, []),
        ("RegexReplace", {"string": "", "regex_pattern": "", "replace": "", "count": 101},
         [("value_bigger_than_max", "count")]),
        ("ResizeImageMaskNode", {"input": ["1", 0], "scale_method": "area",
                                 "resize_type": "match size", "resize_type.match": ["1", 0],
                                 "resize_type.crop": "center"}, []),
        ("ResizeImageMaskNode", {"input": ["2", 0], "scale_method": "area",
                                 "resize_type": "scale by multiplier",
                                 "resize_type.multiplier": 2}, [("return_type_mismatch", "input")]),
        ("ComfyNumberConvert", {"value": "12"}, []),
        ("UNETLoader", {"unet_name": "none"}, [("value_not_in_list", "unet_name")]),
        ("ComfyNumberConvert", {"value": ["1", 0]}, [("return_type_mismatch", "value")]),
    ],
)  # fmt: skip
async def test_dotted_inputs_are_judged_like_all_others(
    class_type: str,
    inputs: dict[str, Any],
    expected: list[tuple[str, str]],
    known: Registry,
    tmp_path: Path,
):
    assert await complaints(known, tmp_path, class_type, **inputs) == expected
