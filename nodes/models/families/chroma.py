"""Chroma: FLUX's blocks, whose modulation a small network makes of level, guidance and place.

https://huggingface.co/lodestones/Chroma (Apache-2.0). A text of T5 alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nodes.models.families import transformer
from nodes.models.families.family import Facts, Family, Found, Net, Shapes
from nodes.models.families.flux import ENDS, PATCH, SIGN, SIGN_DIFFUSERS, blocks, tokens_of
from nodes.models.families.flux import config_of as flux_config
from nodes.models.families.renaming import Rule, count, renamed, shapes_of
from nodes.models.files.pieces import whole
from nodes.models.latents.formats import FLUX as FORMAT
from nodes.models.latents.formats import LatentFormat

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.conditioning.inputs import Inputs, InputsRequest
    from nodes.models.sampling.sigma_space import SigmaSpace

NETWORK = "nodes.models.networks.flux:ChromaTransformer"
MU = 1.15
GUIDANCE = 0.0
"""Where the conditioning names none."""
APPROXIMATOR = "distilled_guidance_layer"
RULES: Mapping[str, Rule] = {
    f"{APPROXIMATOR}.in_proj": f"{APPROXIMATOR}.in_proj",
    f"{APPROXIMATOR}.out_proj": f"{APPROXIMATOR}.out_proj",
    f"{APPROXIMATOR}.layers.{{n}}.in_layer": f"{APPROXIMATOR}.layers.{{n}}.linear_1",
    f"{APPROXIMATOR}.layers.{{n}}.out_layer": f"{APPROXIMATOR}.layers.{{n}}.linear_2",
    f"{APPROXIMATOR}.norms.{{n}}": f"{APPROXIMATOR}.norms.{{n}}",
}


def detect(shapes: Shapes) -> Net | None:
    """The blocks of FLUX with a network that makes their modulation."""
    entry = shapes.get(f"{APPROXIMATOR}.in_proj.weight")
    if entry is None:
        return None
    if SIGN in shapes and "img_in.weight" in shapes and "final_layer.linear.weight" in shapes:
        hidden = int(shapes["img_in.weight"][0])
        pieces = renamed(shapes, {**ENDS, **RULES, **blocks(hidden)})
    elif SIGN_DIFFUSERS in shapes and "x_embedder.weight" in shapes:
        pieces = whole({name: name for name in shapes})
    else:
        return None
    ours = shapes_of(pieces, shapes)
    config = {
        **flux_config(ours),
        "approximator_num_channels": int(entry[1]),
        "approximator_hidden_dim": int(entry[0]),
        "approximator_layers": count(ours, f"{APPROXIMATOR}.layers"),
    }
    return Net(pieces, config)


def sampling(found: Found) -> tuple[SigmaSpace, LatentFormat]:
    """A rectified flow, shifted as FLUX's."""
    from nodes.models.sampling.flows import FluxFlow

    return FluxFlow.of(MU), found.latent


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """The text, and the scale of guidance."""
    guidance = request.options.get("guidance", GUIDANCE)
    return {
        "text": transformer.text(request, facts, facts.config["joint_attention_dim"]),
        "guidance": transformer.number(GUIDANCE if guidance is None else guidance),
    }


def call(module: Any, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    """The output of the network for its input [B, C, h, w], as `Family.call`."""
    import torch

    tokens, places = tokens_of(x, "", ())
    text = inputs["text"].to(x)
    answer = module(
        hidden_states=tokens,
        encoder_hidden_states=text,
        timestep=torch.stack([timestep, inputs["guidance"].to(timestep)], dim=1),
        img_ids=places,
        txt_ids=places.new_zeros(text.shape[1], 3),
        return_dict=False,
    )[0]
    return transformer.unpacked(answer, PATCH, *x.shape[-2:])


CHROMA = Family("Chroma", detect, NETWORK, FORMAT, (), sampling, inputs, call, safe=("bf16",))
