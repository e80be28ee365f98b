"""HunyuanVideo: videos by a text, and from a picture by latents beside the noisy ones.

https://github.com/Tencent-Hunyuan/HunyuanVideo. The text is that of LLaVA-Llama-3 8B, refined in
the network; the pooled one is CLIP-L's. The scale of guidance is given to the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nodes.models.families import transformer
from nodes.models.families.family import Facts, Family, Found, Net, Shapes
from nodes.models.families.flux import HEAD
from nodes.models.families.hunyuan_image import GUIDANCE, REFINER, SIGN, rules
from nodes.models.families.renaming import Rule, count, renamed, shapes_of
from nodes.models.files.pieces import Pieces, whole
from nodes.models.latents.formats import LatentFormat
from nodes.models.latents.video_formats import HUNYUAN_VIDEO as FORMAT

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.conditioning.inputs import Input, Inputs, InputsRequest
    from nodes.models.sampling.sigma_space import SigmaSpace

SHIFT = 7.0
REPLACED = "guiding_frame_index"
"""In a conditioning for networks whose first frame is a picture without noise."""
EMBED = "time_text_embed"
VECTORS: Mapping[str, Rule] = {
    f"{theirs}_in.mlp.{place}": f"{EMBED}.{ours}_embedder.linear_{number}"
    for theirs, ours in (("time", "timestep"), ("vector", "text"), ("guidance", "guidance"))
    for place, number in ((0, 1), (2, 2))
}


def pieces_of(shapes: Shapes, more: Mapping[str, Rule]) -> Pieces | None:
    """The pieces of a network with a refiner of the text and patches of three axes."""
    entry = shapes.get("img_in.proj.weight")
    if SIGN in shapes and entry is not None and len(entry) == 5:
        return renamed(shapes, {**rules(int(entry[0])), **more})
    entry = shapes.get("x_embedder.proj.weight")
    if f"{REFINER}.0.norm1.weight" in shapes and entry is not None and len(entry) == 5:
        return whole({name: name for name in shapes})
    return None


def config_of(found: Shapes) -> dict[str, Any]:
    """What the shapes of all networks of this kind say, by the names of diffusers."""
    hidden, channels, time, side, _ = found["x_embedder.proj.weight"]
    return {
        "in_channels": channels,
        "out_channels": found["proj_out.weight"][0] // (time * side**2),
        "patch_size": side,
        "patch_size_t": time,
        "num_attention_heads": hidden // HEAD,
        "attention_head_dim": HEAD,
        "num_layers": count(found, "transformer_blocks"),
        "num_refiner_layers": count(found, REFINER),
        "text_embed_dim": found["context_embedder.proj_in.weight"][1],
    }


def detect(shapes: Shapes) -> Net | None:
    """A refiner of the text, a vector beside it, and patches of three axes."""
    pieces = pieces_of(shapes, VECTORS)
    found = {} if pieces is None else shapes_of(pieces, shapes)
    vector = found.get(f"{EMBED}.text_embedder.linear_1.weight")
    if pieces is None or vector is None:
        return None
    config = {
        **config_of(found),
        "num_single_layers": count(found, "single_transformer_blocks"),
        "guidance_embeds": f"{EMBED}.guidance_embedder.linear_1.weight" in found,
        "pooled_projection_dim": vector[1],
    }
    return Net(pieces, config)


def sampling(found: Found) -> tuple[SigmaSpace, LatentFormat]:
    """A flow whose timestep is a thousand times sigma."""
    from nodes.models.sampling.flows import Flow

    return Flow(SHIFT), found.latent


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """The texts, the scale of guidance, and latents of a picture beside the noisy ones.

    Raises:
        ValueError: the conditioning is for a network that replaces the first frame.
    """
    config = facts.config
    if REPLACED in request.options:
        raise ValueError(
            "networks of HunyuanVideo that replace the first frame are not supported; choose "
            "v1 (concat) in HunyuanImageToVideo, and a network for it"
        )
    found = {**common(request, facts), "pooled": transformer.pooled(
        request, int(config["pooled_projection_dim"])
    )}  # fmt: skip
    if config["guidance_embeds"]:
        guidance = request.options.get("guidance")
        found["guidance"] = transformer.number(GUIDANCE if guidance is None else guidance)
    return found


def common(request: InputsRequest, facts: Facts) -> dict[str, Input]:
    """The tokens of the text that count, and latents and a mask beside the noisy ones."""
    import torch

    from nodes.models.conditioning.inputs import Collation, Input, repeated
    from nodes.models.families.wan import fitted

    text = transformer.text(request, facts, int(facts.config["text_embed_dim"])).tensor
    mask: Tensor | None = request.options.get("attention_mask")
    if mask is not None and bool((mask == 0).any()):
        text = text[:, mask.reshape(-1).bool()]
    found = {"text": Input(text, Collation.TEXT)}
    channels, x = facts.latent.channels, request.x
    more = int(facts.config["in_channels"]) - channels
    if more <= 0:
        return found
    latents: Tensor | None = request.options.get("concat_latent_image")
    changes: Tensor | None = request.options.get("concat_mask")
    empty = torch.zeros_like(x[:1])
    parts = [empty if latents is None else fitted(facts.latent.process_in(latents.float()), x)]
    if more > channels:
        parts.append(empty[:, :1] if changes is None else 1 - fitted(changes.float(), x)[:, :1])
    most = max(len(part) for part in parts)
    beside = torch.cat([repeated(part, most) for part in parts], dim=1)
    return {**found, "concat": Input(beside, Collation.LIKE_X)}


def entered(module: Any, x: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    """What the network is given of noisy latents [B, C, T, h, w]: whole patches."""
    import torch

    if (more := inputs.get("concat")) is not None:
        x = torch.cat([x, more.to(x)], dim=1)
    return transformer.padded(x, transformer.config_of(module).patch_size)


def call(module: Any, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    """The velocity of latents [B, C, T, h, w], as `Family.call`."""
    text, guidance = inputs["text"].to(x), inputs.get("guidance")
    made = module(
        entered(module, x, inputs),
        timestep,
        text,
        text.new_ones(text.shape[:2]),
        inputs["pooled"].to(x),
        guidance=None if guidance is None else 1000 * guidance.to(timestep),
        return_dict=False,
    )[0]
    return made[..., : x.shape[-2], : x.shape[-1]]


HUNYUAN_VIDEO = Family(
    "HunyuanVideo",
    detect,
    "nodes.models.networks.hunyuan_video:HunyuanVideoTransformer",
    FORMAT,
    (),
    sampling,
    inputs,
    call,
    safe=("bf16",),
)
