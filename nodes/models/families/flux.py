"""FLUX.1 of Black Forest Labs: dev, schnell, Fill, Kontext, Redux, and control by more channels.

https://github.com/black-forest-labs/flux (Apache-2.0). A text of T5, the pooled one of CLIP-L, and
in dev the scale of guidance, which it was distilled with. Reference latents are further tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nodes.models.families import transformer
from nodes.models.families.family import Facts, Family, Found, Net, Shapes
from nodes.models.families.renaming import (
    Reordered,
    Rule,
    Split,
    count,
    renamed,
    shapes_of,
    within,
)
from nodes.models.files.pieces import Pieces, whole
from nodes.models.latents.formats import FLUX as FORMAT
from nodes.models.latents.formats import LatentFormat

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.conditioning.inputs import Inputs, InputsRequest
    from nodes.models.sampling.sigma_space import SigmaSpace

NETWORK = "nodes.models.networks.flux:FluxTransformer"
HEAD, PATCH = 128, 2
MU = 1.15
"""Logarithm of the shift of dev, that of a picture of 1024 x 1024."""
GUIDANCE = 3.5
"""Of dev, where the conditioning names none."""
MASK_SIDE = 8
"""Pixels of a mask along a side of a cell: as so many squared channels Fill is given it."""
DIAGONAL = ("uxo/uno", "uxo", "uno")
"""Names of a method of reference latents."""
SIGN = "double_blocks.0.img_attn.qkv.weight"
SIGN_DIFFUSERS = "transformer_blocks.0.attn.add_q_proj.weight"

ATTENTION: Mapping[str, Rule] = {
    "img_attn.qkv": Split(("attn.to_q", "attn.to_k", "attn.to_v")),
    "img_attn.norm.query_norm": "attn.norm_q",
    "img_attn.norm.key_norm": "attn.norm_k",
    "img_attn.proj": "attn.to_out.0",
    "txt_attn.qkv": Split(("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")),
    "txt_attn.norm.query_norm": "attn.norm_added_q",
    "txt_attn.norm.key_norm": "attn.norm_added_k",
    "txt_attn.proj": "attn.to_add_out",
}
"""Layers of a block of picture and text."""
FEED_FORWARD: Mapping[str, Rule] = {
    "img_mlp.0": "ff.net.0.proj",
    "img_mlp.2": "ff.net.2",
    "txt_mlp.0": "ff_context.net.0.proj",
    "txt_mlp.2": "ff_context.net.2",
}
ENDS: Mapping[str, Rule] = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "time_in.in_layer": "time_text_embed.timestep_embedder.linear_1",
    "time_in.out_layer": "time_text_embed.timestep_embedder.linear_2",
    "guidance_in.in_layer": "time_text_embed.guidance_embedder.linear_1",
    "guidance_in.out_layer": "time_text_embed.guidance_embedder.linear_2",
    "vector_in.in_layer": "time_text_embed.text_embedder.linear_1",
    "vector_in.out_layer": "time_text_embed.text_embedder.linear_2",
    "final_layer.linear": "proj_out",
    "final_layer.adaLN_modulation.1": Reordered("norm_out.linear"),
}
MODULATION: Mapping[str, Rule] = {
    "double_blocks.{n}.img_mod.lin": "transformer_blocks.{n}.norm1.linear",
    "double_blocks.{n}.txt_mod.lin": "transformer_blocks.{n}.norm1_context.linear",
    "single_blocks.{n}.modulation.lin": "single_transformer_blocks.{n}.norm.linear",
}


def blocks(hidden: int) -> dict[str, Rule]:
    """Rules for the blocks of a network of some width, without their modulation."""
    single = "single_transformer_blocks.{n}."
    parts = ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")
    return {
        **within("double_blocks.{n}.", "transformer_blocks.{n}.", {**ATTENTION, **FEED_FORWARD}),
        "single_blocks.{n}.linear1": Split(tuple(single + part for part in parts), (hidden,) * 3),
        "single_blocks.{n}.linear2": f"{single}proj_out",
        "single_blocks.{n}.norm.query_norm": f"{single}attn.norm_q",
        "single_blocks.{n}.norm.key_norm": f"{single}attn.norm_k",
    }


def detect(shapes: Shapes) -> Net | None:
    """Blocks of picture and text, then of both as one, and a vector of a pooled text."""
    pieces = _pieces(shapes)
    if pieces is None:
        return None
    ours = shapes_of(pieces, shapes)
    embedder = "time_text_embed.text_embedder.linear_1.weight"
    if embedder not in ours or "x_embedder.weight" not in ours:
        return None
    guided = "time_text_embed.guidance_embedder.linear_1.weight" in ours
    config = {**config_of(ours), "pooled_projection_dim": ours[embedder][1]}
    return Net(pieces, {**config, "guidance_embeds": guided})


def _pieces(shapes: Shapes) -> Pieces | None:
    if SIGN in shapes and "img_in.weight" in shapes:
        hidden = int(shapes["img_in.weight"][0])
        return renamed(shapes, {**ENDS, **MODULATION, **blocks(hidden)})
    single = "single_transformer_blocks.0.proj_mlp.weight"
    if SIGN_DIFFUSERS in shapes and single in shapes:
        return whole({name: name for name in shapes})
    return None


def config_of(ours: Shapes) -> dict[str, Any]:
    """What the shapes of the weights, by the names of diffusers, say of the network."""
    hidden, channels = ours["x_embedder.weight"]
    return {
        "in_channels": int(channels),
        "out_channels": int(ours["proj_out.weight"][0]),
        "num_layers": count(ours, "transformer_blocks"),
        "num_single_layers": count(ours, "single_transformer_blocks"),
        "attention_head_dim": HEAD,
        "num_attention_heads": int(hidden) // HEAD,
        "joint_attention_dim": int(ours["context_embedder.weight"][1]),
    }


def sampling(found: Found) -> tuple[SigmaSpace, LatentFormat]:
    """A rectified flow; dev's is shifted as for a picture of 1024 x 1024, schnell's is not."""
    from nodes.models.sampling.flows import Flow, FluxFlow

    guided = found.source.config["guidance_embeds"]
    return FluxFlow.of(MU) if guided else Flow(1.0, 1.0), found.latent


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """The texts, the scale of guidance, reference latents, and what goes beside the latents."""
    config = facts.config
    found = {
        "text": transformer.text(request, facts, config["joint_attention_dim"]),
        "pooled": transformer.pooled(request, config["pooled_projection_dim"]),
        **transformer.references(request, facts),
    }
    guidance = request.options.get("guidance", GUIDANCE)
    if config["guidance_embeds"] and guidance is not None:
        found["guidance"] = transformer.number(guidance)
    more = config["in_channels"] // PATCH**2 - facts.latent.channels
    return {**found, **_beside(request, facts, more)} if more > 0 else found


def _beside(request: InputsRequest, facts: Facts, channels: int) -> Inputs:
    """Latents that are given beside the noisy ones, and the mask of Fill.

    Where the conditioning has none, the picture is empty and the mask all ones.
    """
    import torch

    from nodes.models.conditioning.inputs import Collation, Input, repeated
    from nodes.models.families.unet import fitted

    picture: Tensor | None = request.options.get("concat_latent_image")
    if picture is None:
        found = torch.zeros_like(request.x)
    else:
        found = fitted(facts.latent.process_in(picture.float()), request.x).to(request.x)
    if channels > found.shape[1]:
        mask = _mask(request).to(request.x)
        both = max(len(found), len(mask))
        found = torch.cat([repeated(found, both), repeated(mask, both)], dim=1)
    return {"concat": Input(found, Collation.LIKE_X)}


def _mask(request: InputsRequest) -> Tensor:
    """The mask at the size of pixels, those of a cell as its channels: [B, 64, h, w]."""
    import torch
    from torch.nn.functional import interpolate, pixel_unshuffle

    height, width = (side * MASK_SIDE for side in request.x.shape[-2:])
    mask: Tensor | None = request.options.get("concat_mask")
    mask = request.mask if mask is None else mask
    if mask is None:
        return torch.ones_like(request.x[:1, :1]).repeat(1, MASK_SIDE**2, 1, 1)
    mask = mask.float().reshape(-1, 1, *mask.shape[-2:])
    if mask.shape[-2:] != (height, width):
        mask = interpolate(mask, size=(height, width), mode="bilinear")
    return pixel_unshuffle(mask, MASK_SIDE)


def call(module: Any, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    """The output of the network for its input [B, C, h, w], as `Family.call`."""
    import torch

    height, width = x.shape[-2:]
    if (more := inputs.get("concat")) is not None:
        x = torch.cat([x, more.to(x)], dim=1)
    tokens, places = tokens_of(x, *transformer.given_references(inputs))
    text = inputs["text"].to(x)
    own = -(-height // PATCH) * -(-width // PATCH)
    answer = module(
        hidden_states=tokens,
        encoder_hidden_states=text,
        pooled_projections=inputs["pooled"].to(x),
        timestep=timestep,
        guidance=inputs.get("guidance"),
        img_ids=places,
        txt_ids=places.new_zeros(text.shape[1], 3),
        return_dict=False,
    )[0]
    return transformer.unpacked(answer[:, :own], PATCH, height, width)


def tokens_of(x: Tensor, method: str, references: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The tokens of latents [B, C, h, w] and reference latents, and their places [tokens, 3]."""
    import torch

    pictures = [transformer.padded(each.to(x), PATCH) for each in (x, *references)]
    sizes = [latents.shape[-2:] for latents in references]
    places = [(0, 0, 0), *corners(method, x.shape[-2:], sizes, PATCH)]
    tokens = [transformer.packed(picture, PATCH) for picture in pictures]
    ids = [
        transformer.positions(
            picture.shape[-2] // PATCH,
            picture.shape[-1] // PATCH,
            x,
            first=first,
            top=(top + PATCH // 2) // PATCH,
            left=(left + PATCH // 2) // PATCH,
        )
        for picture, (first, top, left) in zip(pictures, places, strict=True)
    ]
    return torch.cat(tokens, dim=1), torch.cat(ids)


def corners(
    method: str, own: Sequence[int], sizes: Sequence[Sequence[int]], patch: int
) -> list[tuple[int, int, int]]:
    """Where reference latents stand: number on the first axis, first row, first column, in cells.

    Args:
        method: "index": all in one place, numbered; "uxo": each where the picture and those before
            end along both axes; else ("offset") all of number 1, each below or beside those before,
            whichever leaves the whole shorter.
        own: rows and columns of the picture.
        sizes: of the reference latents.
        patch: cells along a side of a token.
    """
    if method.startswith("index"):
        return [(place + 1, 0, 0) for place in range(len(sizes))]
    found: list[tuple[int, int, int]] = []
    height = width = 0
    if method in DIAGONAL:
        height, width = (-(-side // patch) * patch for side in own)
    for rows, columns in sizes:
        if method in DIAGONAL:
            found.append((0, height, width))
            height, width = height + rows, width + columns
            continue
        beside = rows + height > columns + width
        found.append((1, 0, width) if beside else (1, height, 0))
        top, left = found[-1][1:]
        height, width = max(height, top + rows), max(width, left + columns)
    return found


FLUX = Family("FLUX.1", detect, NETWORK, FORMAT, (), sampling, inputs, call)
