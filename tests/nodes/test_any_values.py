"""Whatever fits a node's inputs: an answer in range or a readable refusal, inputs left alone."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.authoring.spec import Input, NodeSpec, Variant
from nodes import (
    batch,
    composite,
    filter,
    latent_space,
    mask,
    maths,
    mixing,
    resize,
    structure,
    text,
    transform,
)

MODULES: tuple[ModuleType, ...] = (
    batch, composite, filter, latent_space, mask, maths, mixing, resize, structure, text, transform,
)  # fmt: skip
SPECS = [
    spec
    for module in MODULES
    for value in vars(module).values()
    if isinstance(spec := getattr(value, "spec", None), NodeSpec)
    and spec.origin == module.__name__
    and spec.run_parameter is None
]
LARGEST = 40  # of sides and counts, so that thousands of tries go quickly
SIDE = st.integers(1, 12)


@st.composite
def tensors(draw: st.DrawFn, *shape: st.SearchStrategy[int]) -> Tensor:
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    return torch.rand([draw(side) for side in shape], generator=generator)


COUNT = st.integers(1, 3)
IMAGES = tensors(COUNT, SIDE, SIDE, st.sampled_from([1, 3, 4]))
MASKS = tensors(COUNT, SIDE, SIDE)


@st.composite
def latents(draw: st.DrawFn) -> dict[str, Any]:
    samples = draw(tensors(COUNT, st.just(4), SIDE, SIDE))
    made: dict[str, Any] = {"samples": samples}
    if draw(st.booleans()):
        made["noise_mask"] = draw(
            tensors(st.sampled_from([1, len(samples)]), st.just(1), SIDE, SIDE)
        )
    if draw(st.booleans()):
        made["batch_index"] = [*range(5, 5 + len(samples))]
    return made


@st.composite
def sounds(draw: st.DrawFn) -> dict[str, Any]:
    waveform = draw(tensors(COUNT, st.integers(1, 3), st.integers(1, 50)))
    return {"waveform": waveform, "sample_rate": draw(st.sampled_from([8000, 11025, 44100]))}


def values(input: Input) -> st.SearchStrategy[Any]:
    limits = input.range
    if input.choice is not None:
        return st.sampled_from(list(map(str, input.choice.options)))  # pyright: ignore[reportArgumentType] - none of these nodes chooses a file
    if input.slots is not None and input.slot is not None:
        names = st.sampled_from(input.slots.all()[:4])
        return st.dictionaries(names, values(input.slot), min_size=input.slots.min)
    if input.variants:
        return st.one_of([options(variant) for variant in input.variants])
    if input.custom is not None:
        return st.none()
    if "," in input.type:
        kinds_of = [replace(input, type=kind, match=None) for kind in input.type.split(",")]
        return st.one_of([values(kind) for kind in kinds_of])
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "IMAGE": IMAGES,
        "MASK": MASKS,
        "LATENT": latents(),
        "AUDIO": sounds(),
        "BOOLEAN": st.booleans(),
        "STRING": st.text(max_size=10),
        "*": st.text(max_size=3) | st.integers(),
        "ARRAY": st.lists(st.integers(), max_size=3),
        "DICT": st.dictionaries(st.text(max_size=3), st.integers(), max_size=3),
    }
    if input.type == "INT":
        low, high = (limits.min, limits.max) if limits else (-LARGEST, LARGEST)
        bottom = max(int(low), -LARGEST)
        made: st.SearchStrategy[Any] = st.integers(bottom, min(int(high), bottom + 2 * LARGEST))
    elif input.type == "FLOAT":
        low, high = (limits.min, limits.max) if limits else (-1, 1)
        made = st.floats(max(low, -1), min(high, 1))
    else:
        made = kinds[input.type]
    made = st.lists(made, min_size=1, max_size=3) if input.collects else made
    return st.none() | made if input.optional else made


def options(variant: Variant) -> st.SearchStrategy[Any]:
    fields = {child.name: values(child) for child in variant.inputs}
    return st.builds(variant.made, **fields)


def tensors_in(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    items: Any = value.values() if isinstance(value, dict) else value  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - any node's result
    if isinstance(value, dict | list | tuple):
        return [tensor for item in items for tensor in tensors_in(item)]
    return []


@pytest.mark.parametrize("spec", SPECS, ids=[spec.id for spec in SPECS])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_node_answers_or_refuses(spec: NodeSpec, data: st.DataObject):
    arguments = {input.name: data.draw(values(input), input.name) for input in spec.inputs}
    before = copy.deepcopy(arguments)
    try:
        result = spec.function(**arguments)
    except (ValueError, IndexError) as refusal:
        result = str(refusal) or pytest.fail("a refusal that says nothing")
    for tensor in tensors_in(result):
        assert tensor.numel() > 0 or spec.id == "EmptyAudio"
        assert math.isfinite(float(tensor.sum()))
    for old, new in zip(tensors_in(before), tensors_in(arguments), strict=True):
        assert torch.equal(old, new)
    if spec.outputs[0].type in ("IMAGE", "MASK") and spec.id not in KEEPS_RANGE_ROUGHLY:
        assert all(t.min() >= -1e-5 and t.max() <= 1 + 1e-5 for t in tensors_in(result))


KEEPS_RANGE_ROUGHLY = ("ImageScale", "ImageScaleBy", "ImageScaleToTotalPixels", "ResizeAndPadImage",
                       "ImageScaleToMaxDimension", "ResizeImageMaskNode")  # fmt: skip
"""Bicubic scaling overshoots at edges."""
