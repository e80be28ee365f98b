"""FLUX.2 of Black Forest Labs: dev, and klein, which was not distilled with a scale of guidance.

https://github.com/black-forest-labs/flux2 (Apache-2.0). Layers of a language model side by side are
the text; all blocks of a kind share their modulation; a cell of latents is a token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nodes.models.families import transformer
from nodes.models.families.family import Facts, Family, Found, Net, Shapes
from nodes.models.families.flux import ATTENTION, HEAD, corners
from nodes.models.families.renaming import Reordered, Rule, count, renamed, shapes_of, within
from nodes.models.files.pieces import whole
from nodes.models.latents.formats import FLUX2 as FORMAT
from nodes.models.latents.formats import LatentFormat

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.conditioning.inputs import Inputs, InputsRequest
    from nodes.models.sampling.sigma_space import SigmaSpace

NETWORK = "diffusers.models.transformers.transformer_flux2:Flux2Transformer2DModel"
MU = 2.02
"""Logarithm of the shift."""
GUIDANCE = 3.5
"""Of dev, where the conditioning names none."""
TOKENS = 512
"""A shorter text is filled with zeros in front."""
APART = 10
"""How far apart reference pictures are on the first axis."""
SIGN = "double_stream_modulation_img.lin.weight"
SIGN_DIFFUSERS = "double_stream_modulation_img.linear.weight"
SINGLE = "single_transformer_blocks.{n}.attn."
TIME = "time_guidance_embed"
RULES: Mapping[str, Rule] = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "time_in.in_layer": f"{TIME}.timestep_embedder.linear_1",
    "time_in.out_layer": f"{TIME}.timestep_embedder.linear_2",
    "guidance_in.in_layer": f"{TIME}.guidance_embedder.linear_1",
    "guidance_in.out_layer": f"{TIME}.guidance_embedder.linear_2",
    "double_stream_modulation_img.lin": "double_stream_modulation_img.linear",
    "double_stream_modulation_txt.lin": "double_stream_modulation_txt.linear",
    "single_stream_modulation.lin": "single_stream_modulation.linear",
    "final_layer.linear": "proj_out",
    "final_layer.adaLN_modulation.1": Reordered("norm_out.linear"),
    **within("double_blocks.{n}.", "transformer_blocks.{n}.", ATTENTION),
    "double_blocks.{n}.img_mlp.0": "transformer_blocks.{n}.ff.linear_in",
    "double_blocks.{n}.img_mlp.2": "transformer_blocks.{n}.ff.linear_out",
    "double_blocks.{n}.txt_mlp.0": "transformer_blocks.{n}.ff_context.linear_in",
    "double_blocks.{n}.txt_mlp.2": "transformer_blocks.{n}.ff_context.linear_out",
    "single_blocks.{n}.linear1": f"{SINGLE}to_qkv_mlp_proj",
    "single_blocks.{n}.linear2": f"{SINGLE}to_out",
    "single_blocks.{n}.norm.query_norm": f"{SINGLE}norm_q",
    "single_blocks.{n}.norm.key_norm": f"{SINGLE}norm_k",
}


def detect(shapes: Shapes) -> Net | None:
    """Blocks that share their modulation."""
    if SIGN in shapes:
        pieces = renamed(shapes, RULES)
    elif SIGN_DIFFUSERS in shapes:
        pieces = whole({name: name for name in shapes})
    else:
        return None
    ours = shapes_of(pieces, shapes)
    needed = ("x_embedder.weight", "context_embedder.weight", "proj_out.weight")
    if not all(name in ours for name in needed):
        return None
    hidden, channels = ours["x_embedder.weight"]
    first = "transformer_blocks.0.ff.linear_out.weight"
    config = {
        "in_channels": channels,
        "out_channels": ours["proj_out.weight"][0],
        "num_layers": count(ours, "transformer_blocks"),
        "num_single_layers": count(ours, "single_transformer_blocks"),
        "attention_head_dim": HEAD,
        "num_attention_heads": hidden // HEAD,
        "joint_attention_dim": ours["context_embedder.weight"][1],
        "mlp_ratio": ours[first][1] / hidden if first in ours else 3.0,
        "guidance_embeds": f"{TIME}.guidance_embedder.linear_1.weight" in ours,
    }
    return Net(pieces, config)


def sampling(found: Found) -> tuple[SigmaSpace, LatentFormat]:
    """A rectified flow; Flux2Scheduler shifts it by the size of the picture instead."""
    from nodes.models.sampling.flows import FluxFlow

    return FluxFlow.of(MU), found.latent


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """The text, the scale of guidance, and reference latents."""
    from torch.nn.functional import pad

    from nodes.models.conditioning.inputs import Input

    text = transformer.text(request, facts, facts.config["joint_attention_dim"])
    missing = max(0, TOKENS - text.tensor.shape[1])
    found = {
        "text": Input(pad(text.tensor, (0, 0, missing, 0)), text.collation),
        **transformer.references(request, facts, "index"),
    }
    guidance = request.options.get("guidance", GUIDANCE)
    if facts.config["guidance_embeds"] and guidance is not None:
        found["guidance"] = transformer.number(guidance)
    return found


def call(module: Any, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    """The output of the network for its input [B, C, h, w], as `Family.call`."""
    import torch
    from torch.nn.functional import pad

    method, more = transformer.given_references(inputs)
    pictures = [x, *(latents.to(x) for latents in more)]
    places = [(0, 0, 0), *corners(method, x.shape[-2:], [each.shape[-2:] for each in more], 1)]
    tokens = torch.cat([transformer.packed(picture, 1) for picture in pictures], dim=1)
    ids = torch.cat(
        [
            transformer.positions(
                picture.shape[-2], picture.shape[-1], x, first=APART * first, top=top, left=left
            )
            for picture, (first, top, left) in zip(pictures, places, strict=True)
        ]
    )
    text = inputs["text"].to(x)
    numbers = torch.zeros(text.shape[1], 4, device=x.device)
    numbers[:, 3] = torch.arange(text.shape[1])
    answer = module(
        hidden_states=tokens,
        encoder_hidden_states=text,
        timestep=timestep,
        guidance=inputs.get("guidance"),
        img_ids=pad(ids, (0, 1)),
        txt_ids=numbers,
        return_dict=False,
    )[0]
    height, width = x.shape[-2:]
    return transformer.unpacked(answer[:, : height * width], 1, height, width)


FLUX2 = Family("FLUX.2", detect, NETWORK, FORMAT, (), sampling, inputs, call, safe=("bf16",))
