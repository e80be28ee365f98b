"""Z-Image (Turbo and base): one stream of text and picture, with learned tokens that fill both up.

https://github.com/Tongyi-MAI/Z-Image (Apache-2.0). The text is that of Qwen3 4B.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nodes.models.families import transformer
from nodes.models.families.family import Facts, Family, Found, Net, Shapes
from nodes.models.families.renaming import Rule, Split, count, renamed, shapes_of
from nodes.models.files.pieces import whole
from nodes.models.latents.formats import FLUX, LatentFormat

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.conditioning.inputs import Inputs, InputsRequest
    from nodes.models.sampling.sigma_space import SigmaSpace

HEAD, PATCH, SHIFT = 128, 2, 3.0
AXES = [32, 48, 48]
"""How many numbers of a head turn by each axis of the positions."""
LENGTHS = [4096, 1024, 1024]
"""Positions that are prepared: of tokens of the text, of rows and of columns."""
PICTURE = f"all_x_embedder.{PATCH}-1"
PLACES = ("layers", "noise_refiner", "context_refiner")
SAME = (
    "attention_norm1", "attention_norm2", "ffn_norm1", "ffn_norm2", "feed_forward.w1",
    "feed_forward.w2", "feed_forward.w3", "adaLN_modulation.0",
)  # fmt: skip
"""Layers of a block whose names are the same in diffusers."""


def _block(place: str) -> dict[str, Rule]:
    begin = place + ".{n}."
    attention = begin + "attention."
    heads = tuple(f"{attention}to_{name}" for name in "qkv")
    return {
        **{begin + name: begin + name for name in SAME},
        f"{attention}qkv": Split(heads),
        f"{attention}out": f"{attention}to_out.0",
        f"{attention}q_norm": f"{attention}norm_q",
        f"{attention}k_norm": f"{attention}norm_k",
    }


RULES: Mapping[str, Rule] = {
    "x_pad_token": "x_pad_token",
    "cap_pad_token": "cap_pad_token",
    "x_embedder": PICTURE,
    "t_embedder.mlp.0": "t_embedder.mlp.0",
    "t_embedder.mlp.2": "t_embedder.mlp.2",
    "cap_embedder.0": "cap_embedder.0",
    "cap_embedder.1": "cap_embedder.1",
    "final_layer.linear": f"all_final_layer.{PATCH}-1.linear",
    "final_layer.adaLN_modulation.1": f"all_final_layer.{PATCH}-1.adaLN_modulation.1",
    **{old: new for place in PLACES for old, new in _block(place).items()},
}
"""Layers in the original, and in diffusers."""


def detect(shapes: Shapes) -> Net | None:
    """A file with tokens that fill the text up, and heads of 128 in its refiners."""
    published = f"{PICTURE}.weight" in shapes
    pieces = whole({name: name for name in shapes}) if published else renamed(shapes, RULES)
    found = shapes_of(pieces, shapes)
    key = found.get("noise_refiner.0.attention.norm_k.weight")
    picture, words = found.get(f"{PICTURE}.weight"), found.get("cap_embedder.1.weight")
    if key != (HEAD,) or picture is None or words is None or "cap_pad_token" not in found:
        return None
    dim, numbers = picture
    config = {
        "in_channels": numbers // PATCH**2,
        "dim": dim,
        "n_layers": count(found, "layers"),
        "n_refiner_layers": count(found, "noise_refiner"),
        "n_heads": dim // HEAD,
        "n_kv_heads": dim // HEAD,
        "cap_feat_dim": words[1],
        "axes_dims": AXES,
        "axes_lens": LENGTHS,
    }
    return Net(pieces, config)


def sampling(found: Found) -> tuple[SigmaSpace, LatentFormat]:
    """A flow whose timestep is sigma."""
    from nodes.models.sampling.flows import Flow

    return Flow(SHIFT, 1.0), found.latent


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """The text."""
    return {"text": transformer.text(request, facts, int(facts.config["cap_feat_dim"]))}


def call(module: Any, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    """The velocity of latents [B, C, h, w], as `Family.call`.

    The network's time runs from noise to picture, and its velocity does so, too.
    """
    import torch

    rows, columns = x.shape[-2:]
    pictures = transformer.padded(x, PATCH)[:, :, None].unbind()
    texts = inputs["text"].to(x).unbind()
    made = module([*pictures], 1 - timestep, [*texts], return_dict=False)[0]
    return -torch.stack(made)[:, :, 0, :rows, :columns]


Z_IMAGE = Family(
    "Z-Image",
    detect,
    "diffusers.models.transformers.transformer_z_image:ZImageTransformer2DModel",
    FLUX,
    (),
    sampling,
    inputs,
    call,
)
