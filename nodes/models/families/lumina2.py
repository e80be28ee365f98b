"""Lumina Image 2.0 and what is trained from it (NetaYume): one stream of text and picture.

https://github.com/Alpha-VLLM/Lumina-Image-2.0 (Apache-2.0). The text is that of Gemma 2 2B.
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

PATCH, SHIFT = 2, 6.0
LENGTHS = [4096, 1024, 1024]
"""Positions that are prepared: of tokens of the text, of rows and of columns."""
PLACES = ("layers", "noise_refiner", "context_refiner")
EMBED = "time_caption_embed"


def _block(place: str, queries: int, keys: int) -> dict[str, Rule]:
    begin = place + ".{n}."
    heads = tuple(f"{begin}attn.to_{name}" for name in "qkv")
    return {
        f"{begin}attention.qkv": Split(heads, (queries, keys)),
        f"{begin}attention.out": f"{begin}attn.to_out.0",
        f"{begin}attention.q_norm": f"{begin}attn.norm_q",
        f"{begin}attention.k_norm": f"{begin}attn.norm_k",
        # Where a modulation is, the norm stands in it.
        f"{begin}attention_norm1": begin + ("norm1" if place == PLACES[2] else "norm1.norm"),
        f"{begin}attention_norm2": f"{begin}norm2",
        f"{begin}ffn_norm1": f"{begin}ffn_norm1",
        f"{begin}ffn_norm2": f"{begin}ffn_norm2",
        f"{begin}feed_forward.w1": f"{begin}feed_forward.linear_1",
        f"{begin}feed_forward.w2": f"{begin}feed_forward.linear_2",
        f"{begin}feed_forward.w3": f"{begin}feed_forward.linear_3",
        f"{begin}adaLN_modulation.1": f"{begin}norm1.linear",
    }


RULES: Mapping[str, Rule] = {
    "x_embedder": "x_embedder",
    "t_embedder.mlp.0": f"{EMBED}.timestep_embedder.linear_1",
    "t_embedder.mlp.2": f"{EMBED}.timestep_embedder.linear_2",
    "cap_embedder.0": f"{EMBED}.caption_embedder.0",
    "cap_embedder.1": f"{EMBED}.caption_embedder.1",
    "final_layer.linear": "norm_out.linear_2",
    "final_layer.adaLN_modulation.1": "norm_out.linear_1",
    # Of no use to the network, but files have it.
    "norm_final": "norm_final",
}
"""Layers in the original, and in diffusers; without those of blocks, see `_block`."""


def detect(shapes: Shapes) -> Net | None:
    """A file with refiners of noise, and without tokens that fill the text up."""
    published = f"{EMBED}.caption_embedder.1.weight" in shapes
    pieces = whole({name: name for name in shapes}) if published else _pieces(shapes)
    found = shapes_of(pieces, shapes)
    words, picture = (
        found.get(name) for name in (f"{EMBED}.caption_embedder.1.weight", "x_embedder.weight")
    )
    query, key, norm, inner = (
        found.get(f"noise_refiner.0.{name}.weight")
        for name in ("attn.to_q", "attn.to_k", "attn.norm_k", "feed_forward.linear_1")
    )
    if words is None or picture is None or "cap_pad_token" in shapes:
        return None
    if query is None or key is None or norm is None or inner is None:
        return None
    (dim, numbers), (head,) = picture, norm
    config = {
        "in_channels": numbers // PATCH**2,
        "hidden_size": dim,
        "num_layers": count(found, "layers"),
        "num_refiner_layers": count(found, "noise_refiner"),
        "num_attention_heads": query[0] // head,
        "num_kv_heads": key[0] // head,
        "multiple_of": 1,
        "ffn_dim_multiplier": (inner[0] + 0.5) / (4 * dim),
        "cap_feat_dim": words[1],
        "axes_dim_rope": [head // 3] * 3,
        "axes_lens": LENGTHS,
    }
    return Net(pieces, config)


def _pieces(shapes: Shapes) -> dict[str, Any]:
    queries = shapes.get("noise_refiner.0.attention.out.weight", (0, 0))[-1]
    keys = (shapes.get("noise_refiner.0.attention.qkv.weight", (0,))[0] - queries) // 2
    blocks = {old: new for place in PLACES for old, new in _block(place, queries, keys).items()}
    return renamed(shapes, {**RULES, **blocks})


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
    words = inputs["text"].to(x)
    all_count = torch.ones(words.shape[:2], dtype=torch.int64, device=x.device)
    made = module(transformer.padded(x, PATCH), 1 - timestep, words, all_count, return_dict=False)[
        0
    ]
    return -made[..., :rows, :columns]


LUMINA2 = Family(
    "Lumina 2",
    detect,
    "diffusers.models.transformers.transformer_lumina2:Lumina2Transformer2DModel",
    FLUX,
    (),
    sampling,
    inputs,
    call,
)
