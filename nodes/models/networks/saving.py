"""Networks as files: their weights with their patches, read and written one by one.

Weights that no patch changes are written as their file has them, bit by bit. Changed ones are
written in the format that the network computes in, so that the file, loaded again, computes the
same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial, reduce
from typing import Any

import torch
from torch import Tensor

from nodes.models.conditioning.vision import PREFIXES as VISION_PREFIXES
from nodes.models.conditioning.vision import VisionEncoder
from nodes.models.families import original_names, vision_layout
from nodes.models.families.clip_layout import checkpoint_name
from nodes.models.families.family import TEXT_ENCODER, UNET, VAE
from nodes.models.files.pieces import NetworkSource
from nodes.models.files.tensor_files import ModelFileError
from nodes.models.files.writing import Entry, entry
from nodes.models.networks.denoiser import Denoiser
from nodes.models.networks.network import Handle
from nodes.models.networks.patched_files import PatchedFile
from nodes.models.sampling.sigma_space import Discrete
from nodes.models.text.text_encoder import TextEncoder

PREFIXES = {
    UNET: "model.diffusion_model.",
    VAE: "first_stage_model.",
}
"""What the names of a network have in front in a whole checkpoint."""

ARCHITECTURES = {
    768: "stable-diffusion-v1",
    1024: "stable-diffusion-v2",
    1280: "stable-diffusion-xl-v1-refiner",
    2048: "stable-diffusion-xl-v1-base",
}
"""In the words of ModelSpec, by the width of the text."""

SDXL = "SDXL"
PROJECTIONS = ("text_projection", "proj")
"""Matrices that OpenCLIP holds transposed."""
EDM_MARKS = ("edm_mean", "edm_std", "edm_vpred.sigma_max", "edm_vpred.sigma_min")


def entries(handle: Handle[Any], device: str, *, prefixed: bool) -> Iterator[Entry]:
    """The weights of a network, patches included, under the names of the original code.

    Args:
        handle: the network; nothing of it need be loaded.
        device: where it computes, which decides the format of changed weights.
        prefixed: with what names have in front in a whole checkpoint.

    Raises:
        ModelFileError: its file has changed, or networks of its kind are not saved.
    """
    source = handle.source
    if isinstance(handle, TextEncoder):
        yield from _text_entries(handle, device, prefixed)
        return
    if isinstance(handle, VisionEncoder):
        yield from _vision_entries(handle, device)
        return
    if source.title not in PREFIXES:
        raise ModelFileError(
            f"{source.header.path}: a {source.title} is not saved; copy its files, or take the "
            "autoencoder of a checkpoint"
        )
    file = PatchedFile(handle)
    prefix = PREFIXES[source.title] if prefixed else ""
    for ours, theirs in original_names.of(source).items():
        weight = file.original(ours)
        dtype, value = _written(source, ours, weight), partial(file.original, ours)
        if ours in file.changes:
            dtype, value = _changed(source, file, ours, dtype, handle.dtype_on(device))
        shape = tuple(weight.shape)
        if ".mid.attn_1." in theirs and len(shape) == 2:
            shape = (*shape, 1, 1)  # they are convolutions in the original code
        yield Entry(prefix + theirs, dtype, shape, value)
    if isinstance(handle, Denoiser):
        yield from _marks(handle)


def _marks(model: Denoiser) -> Iterator[Entry]:
    """Tensors that mark how a model was trained; of SDXL, as its sigma space now is."""
    space = model.space
    if model.family.name != SDXL:
        yield from _kept(model, model.family.marks)
    elif isinstance(space, Discrete):
        if space.prediction == "v_prediction":
            yield entry("v_pred", torch.empty(0))
            if space.zero_snr:
                yield entry("ztsnr", torch.empty(0))
    else:
        yield from _kept(model, EDM_MARKS)


def _kept(model: Denoiser, names: Sequence[str]) -> Iterator[Entry]:
    """Those of some marks that the model's own file has."""
    for name in names:
        if (found := model.mark(name)) is not None:
            yield entry(name, found)


def _text_entries(handle: TextEncoder, device: str, prefixed: bool) -> Iterator[Entry]:
    """The weights of text encoders, OpenCLIP's with queries, keys and values as one."""
    for encoder in handle.encoders:
        begin = f"{encoder.name}."
        prefix = encoder.prefixes[0] if prefixed or len(handle.encoders) > 1 else ""
        names = {
            name: checkpoint_name(name.removeprefix(begin), encoder.name)
            for name in handle.source.pieces
            if name.startswith(begin)
        }
        yield from _fused_entries(handle, device, prefix, names)


def _vision_entries(handle: VisionEncoder, device: str) -> Iterator[Entry]:
    """The weights of a vision encoder of CLIP, as checkpoints have them, in OpenCLIP's names."""
    source = handle.source
    if handle.layout.kind != "clip" or not source.pieces:
        raise ModelFileError(
            f"{source.header.path}: holds no vision encoder of CLIP, and others are not saved in a "
            "checkpoint; take a model's own, or CLIP-H"
        )
    names = {name: vision_layout.checkpoint_name(name) for name in source.pieces}
    yield from _fused_entries(handle, device, f"{VISION_PREFIXES[0]}visual.", names)


def _fused_entries(
    handle: Handle[Any], device: str, prefix: str, names: Mapping[str, tuple[str, int]]
) -> Iterator[Entry]:
    """Weights of which several may be one tensor of the file; `names` has the part that each is."""
    source, file = handle.source, PatchedFile(handle)
    tensors: dict[str, dict[int, str]] = {}
    for name, (theirs, place) in names.items():
        tensors.setdefault(theirs, {})[place] = name
    for theirs, parts in tensors.items():
        dtype = handle.dtype_on(device)
        weights = [_one_weight(source, file, parts[place], dtype) for place in sorted(parts)]
        dtype = reduce(_common, [dtype for dtype, _ in weights])
        values = [value for _, value in weights]
        shape = source.shape(parts[0])
        turned = theirs in PROJECTIONS
        shape = shape[::-1] if turned else (len(parts) * shape[0], *shape[1:])
        yield Entry(prefix + theirs, dtype, shape, partial(_together, values, turned))


def _one_weight(
    source: NetworkSource, file: PatchedFile, name: str, computed: torch.dtype
) -> tuple[torch.dtype, Callable[[], Tensor]]:
    dtype = _written(source, name, file.original(name))
    if name in file.changes:
        return _changed(source, file, name, dtype, computed)
    return dtype, partial(file.original, name)


def _together(values: Sequence[Callable[[], Tensor]], turned: bool) -> Tensor:
    found = values[0]() if len(values) == 1 else torch.cat([value() for value in values])
    return found.T.contiguous() if turned else found


def _changed(
    source: NetworkSource, file: PatchedFile, name: str, dtype: torch.dtype, computed: torch.dtype
) -> tuple[torch.dtype, Callable[[], Tensor]]:
    """Format and value of a weight with patches: as the network computes with it."""
    if source.title == TEXT_ENCODER:  # rounded to halves, before and after, see `TextNetwork`
        return torch.float16, partial(file.patched, name, rounded=torch.float16)
    return _common(dtype, computed), partial(file.patched, name)


def _written(source: NetworkSource, name: str, weight: Tensor) -> torch.dtype:
    """Format of a weight as it is: the file's own; halves where that has it scaled in few bits."""
    stored = source.header.quantizations.get(source.names[name])
    return weight.dtype if stored is None or stored.stays else torch.float16


def _common(one: torch.dtype, other: torch.dtype) -> torch.dtype:
    """A format for numbers of two formats; torch has none for fp8 and another one."""
    wide = [dtype for dtype in (one, other) if dtype.itemsize > 1]
    if len(wide) == 2:
        return torch.promote_types(one, other)
    return one if one is other else (*wide, torch.float16)[0]


def facts(model: Denoiser, title: str) -> dict[str, str]:
    """What a file says of the model in it, in the words of Stability's ModelSpec.

    See https://github.com/Stability-AI/ModelSpec.
    """
    space, width = model.space, int(model.source.config.get("cross_attention_dim") or 0)
    velocity = isinstance(space, Discrete) and space.prediction == "v_prediction"
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.title": title.rpartition("/")[2],
        "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
        "modelspec.architecture": ARCHITECTURES.get(width, "stable-diffusion"),
        "modelspec.prediction_type": "v" if velocity else "epsilon",
    }
