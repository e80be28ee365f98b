"""LTX-Video: videos of 32 x 32 x 8 pixels a cell, by a text and by frames that are given.

https://github.com/Lightricks/LTX-Video. The text is that of T5-XXL. Tokens are told apart by their
seconds, rows and columns; those of given frames have the timestep 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nodes.models.families import transformer
from nodes.models.families.family import Facts, Family, Found, Net, Shapes
from nodes.models.families.renaming import Rule, count, renamed, shapes_of
from nodes.models.files.pieces import whole
from nodes.models.latents.formats import LatentFormat
from nodes.models.latents.video_formats import LTX

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.conditioning.inputs import Inputs, InputsRequest
    from nodes.models.sampling.sigma_space import SigmaSpace

HEADS, MU = 32, 2.37
FRAME_RATE = 25.0
"""Frames a second where the conditioning names none."""
FRAMES = 8
"""Of the video for one of the latents."""
BLOCK = "transformer_blocks.{n}."
SAME = (
    "proj_out", "scale_shift_table", "caption_projection.linear_1", "caption_projection.linear_2",
    f"{BLOCK}scale_shift_table", f"{BLOCK}ff.net.0.proj", f"{BLOCK}ff.net.2",
    *(f"{BLOCK}attn{a}.{b}" for a in (1, 2) for b in ("to_q", "to_k", "to_v", "to_out.0")),
)  # fmt: skip
RULES: Mapping[str, Rule] = {
    **{name: name for name in SAME},
    "patchify_proj": "proj_in",
    "adaln_single.emb.timestep_embedder.linear_1": "time_embed.emb.timestep_embedder.linear_1",
    "adaln_single.emb.timestep_embedder.linear_2": "time_embed.emb.timestep_embedder.linear_2",
    "adaln_single.linear": "time_embed.linear",
    **{f"{BLOCK}attn{a}.{b}_norm": f"{BLOCK}attn{a}.norm_{b}" for a in (1, 2) for b in "qk"},
}
"""Layers in the original, and in diffusers."""


def detect(shapes: Shapes) -> Net | None:
    """Single patches, one modulation for all blocks, and a projection of the text."""
    if any(name.startswith(("av_ca_", "audio_", "pos_embed.")) for name in shapes):
        return None
    published = "time_embed.linear.weight" in shapes
    pieces = whole({name: name for name in shapes}) if published else renamed(shapes, RULES)
    found = shapes_of(pieces, shapes)
    entry, out, key, text = (
        found.get(f"{name}.weight")
        for name in ("proj_in", "proj_out", "transformer_blocks.0.attn2.to_k",
                     "caption_projection.linear_1")
    )  # fmt: skip
    if entry is None or out is None or key is None or text is None:
        return None
    if "time_embed.linear.weight" not in found or "scale_shift_table" not in found:
        return None
    config = {
        "in_channels": entry[1],
        "out_channels": out[0],
        "num_attention_heads": HEADS,
        "attention_head_dim": key[0] // HEADS,
        "cross_attention_dim": key[1],
        "num_layers": count(found, "transformer_blocks"),
        "caption_channels": text[1],
    }
    return Net(pieces, config)


def sampling(found: Found) -> tuple[SigmaSpace, LatentFormat]:
    """A flow, shifted as for a long video."""
    from nodes.models.sampling.flows import FluxFlow

    return FluxFlow.of(MU), found.latent


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """The text and which of its tokens count, the frames a second, and which latents are given."""
    from nodes.models.conditioning.inputs import Collation, Input

    rate = request.options.get("frame_rate", FRAME_RATE)
    found = {
        "text": transformer.text(request, facts, int(facts.config["caption_channels"])),
        **transformer.text_mask(request),
        "rate": transformer.number(rate),
    }
    if request.mask is not None:
        found["changes"] = Input(request.mask, Collation.LIKE_X)
    return found


def call(module: Any, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    """The velocity of latents [B, C, T, h, w], as `Family.call`."""
    mask = inputs.get(transformer.TEXT_MASK)
    times = timestep[:, None] * 1000
    if (changes := inputs.get("changes")) is not None:
        times = times * changes.to(times).flatten(1)
    made = module(
        x.flatten(2).transpose(1, 2),
        inputs["text"].to(x),
        times,
        encoder_attention_mask=None if mask is None else mask.to(x),
        video_coords=_coordinates(x, inputs["rate"].to(timestep)),
        return_dict=False,
    )[0]
    return made.transpose(1, 2).reshape(x.shape)


def _coordinates(x: Tensor, rate: Tensor) -> Tensor:
    """Second, row and column in pixels of each token, [B, 3, tokens]."""
    import torch

    frames, rows, columns = (torch.arange(side, device=x.device).float() for side in x.shape[2:])
    grid = torch.cartesian_prod(frames * FRAMES, rows * LTX.factor, columns * LTX.factor).T
    places = grid.expand(len(x), -1, -1).clone()
    places[:, 0] /= rate.reshape(-1, 1)
    return places


LTXV = Family(
    "LTX-Video",
    detect,
    "diffusers.models.transformers.transformer_ltx:LTXVideoTransformer3DModel",
    LTX,
    (),
    sampling,
    inputs,
    call,
    safe=("bf16",),
    keeps_clean=True,
)
