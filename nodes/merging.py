"""Nodes that mix models of one build."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any

from engine import Range, Run, Tooltip, node
from nodes.sockets import Clip, Model

Ratio = Annotated[float, Range(0.0, 1.0, 0.01), Tooltip("How much of the first.")]
Multiplier = Annotated[float, Range(-10.0, 10.0, 0.01), Tooltip("How many times the difference.")]
CATEGORY = "advanced/model_merging"


@node("ModelMergeSimple", category=CATEGORY)
def mix_models(run: Run, *, model1: Model, model2: Model, ratio: Ratio = 1.0) -> Model:
    """Something between two denoisers."""
    from nodes.models.networks.merging import merged

    return merged(model1, model2, ratio, 1 - ratio, warn=run.warn)


@node("ModelMergeBlocks", category=CATEGORY)
def mix_blocks(
    run: Run,
    *,
    model1: Model,
    model2: Model,
    input: Ratio = 1.0,
    middle: Ratio = 1.0,
    out: Ratio = 1.0,
) -> Model:
    """Two denoisers mixed, each part of them in its own way."""
    from nodes.models.networks.merging import merged_by_blocks

    return merged_by_blocks(model1, model2, down=input, middle=middle, up=out, warn=run.warn)


@node("ModelMergeSubtract", category=CATEGORY)
def subtract_models(
    run: Run, *, model1: Model, model2: Model, multiplier: Multiplier = 1.0
) -> Model:
    """What one denoiser has and the other has not, so many times."""
    from nodes.models.networks.merging import merged

    return merged(model1, model2, multiplier, -multiplier, warn=run.warn)


@node("ModelMergeAdd", category=CATEGORY)
def add_models(run: Run, *, model1: Model, model2: Model) -> Model:
    """Two denoisers added up; the second is a difference as a rule."""
    from nodes.models.networks.merging import merged

    return merged(model1, model2, 1.0, 1.0, warn=run.warn)


@node("CLIPMergeSimple", category=CATEGORY)
def mix_clips(run: Run, *, clip1: Clip, clip2: Clip, ratio: Ratio = 1.0) -> Clip:
    """Something between two text encoders."""
    return _merged_clips(run, clip1, clip2, ratio, 1 - ratio)


@node("CLIPMergeSubtract", category=CATEGORY)
def subtract_clips(run: Run, *, clip1: Clip, clip2: Clip, multiplier: Multiplier = 1.0) -> Clip:
    """What one text encoder has and the other has not, so many times."""
    return _merged_clips(run, clip1, clip2, multiplier, -multiplier)


@node("CLIPMergeAdd", category=CATEGORY)
def add_clips(run: Run, *, clip1: Clip, clip2: Clip) -> Clip:
    """Two text encoders added up; the second is a difference as a rule."""
    return _merged_clips(run, clip1, clip2, 1.0, 1.0)


def _merged_clips(run: Run, clip1: Clip, clip2: Clip, first: float, second: float) -> Clip:
    from nodes.models.networks.merging import merged
    from nodes.models.text.text_encoder import clip_alone

    return merged(clip_alone(clip1), clip_alone(clip2), first, second, warn=run.warn)


def _blockwise(id: str, names: Sequence[str]) -> Callable[..., Model]:
    """A node that mixes two denoisers, with a ratio for each beginning of their weights' names."""

    @node(id, category=f"{CATEGORY}/model_specific")
    def declared(run: Run, *, model1: Model, model2: Model, ratio: Ratio = 1.0) -> Model:
        """Two denoisers mixed, each block of them in its own way."""
        return blend(run, model1=model1, model2=model2, **dict.fromkeys(names, ratio))

    def blend(run: Run, *, model1: Model, model2: Model, **kept: float) -> Model:
        from nodes.models.networks.merging import merged_by_names

        return merged_by_names(model1, model2, kept, warn=run.warn)

    # The inputs have dots in their names, which no parameter can have.
    spec: Any = getattr(declared, "spec")  # noqa: B009 - functions have no declared attribute
    ratio = spec.inputs[-1]
    ratios = tuple(replace(ratio, name=name) for name in names)
    spec = replace(spec, function=blend, inputs=(*spec.inputs[:-1], *ratios))
    setattr(blend, "spec", spec)  # noqa: B010 - as above
    return blend


def _places(inputs: int, outputs: int, end: str) -> tuple[str, ...]:
    """Beginnings of names of a UNet's weights in the original code, block by block."""
    sides = (("input_blocks", inputs), ("middle_block", 3), ("output_blocks", outputs))
    blocks = (f"{side}.{number}{end}" for side, count in sides for number in range(count))
    return ("time_embed.", "label_emb.", *blocks, "out.")


blend_sd1 = _blockwise("ModelMergeSD1", _places(12, 12, "."))
blend_sd2 = _blockwise("ModelMergeSD2", _places(12, 12, "."))
blend_sdxl = _blockwise("ModelMergeSDXL", _places(9, 9, ""))
