"""Qwen-Image: pictures by a text, by a text and pictures (Edit, Edit-Plus), or in layers (Layered).

https://github.com/QwenLM/Qwen-Image (Apache-2.0). The text is that of Qwen2.5-VL 7B, which also
sees the pictures to edit. Their latents are further tokens, with numbers of their own on the first
axis of the places. Latents have an axis of frames, which are the layers of Layered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nodes.models.families import transformer
from nodes.models.families.family import Facts, Family, Found, Net, Shapes
from nodes.models.families.renaming import count
from nodes.models.files.pieces import whole
from nodes.models.latents.formats import LatentFormat
from nodes.models.latents.video_formats import WAN

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.conditioning.inputs import Inputs, InputsRequest
    from nodes.models.sampling.sigma_space import SigmaSpace

HEAD, PATCH = 128, 2
MU = 1.15
"""Logarithm of the shift."""
CLEAN = "__index_timestep_zero__"
"""Marks files (Edit-2511) whose references are tokens without noise."""
CLEAN_METHOD, LAYERED_METHOD, NUMBERED = "index_timestep_zero", "negative_index", "index"
LAYERED = "use_additional_t_cond"
"""In the config of networks that make a picture in layers."""


def detect(shapes: Shapes) -> Net | None:
    """A norm of the text and blocks of picture and text, in names that diffusers has, too."""
    picture, text = shapes.get("img_in.weight"), shapes.get("txt_in.weight")
    out = shapes.get("proj_out.weight")
    if "txt_norm.weight" not in shapes or picture is None or text is None or out is None:
        return None
    if "transformer_blocks.0.attn.add_q_proj.weight" not in shapes:
        return None
    layered = "time_text_embed.addition_t_embedding.weight" in shapes
    config = {
        "in_channels": picture[1],
        "out_channels": out[0] // PATCH**2,
        "num_layers": count(shapes, "transformer_blocks"),
        "attention_head_dim": HEAD,
        "num_attention_heads": picture[0] // HEAD,
        "joint_attention_dim": text[1],
        "zero_cond_t": CLEAN in shapes,
        LAYERED: layered,
    }
    return Net(whole({name: name for name in shapes if name != CLEAN}), config)


def sampling(found: Found) -> tuple[SigmaSpace, LatentFormat]:
    """A flow, shifted as for a picture of 1024 x 1024."""
    from nodes.models.sampling.flows import FluxFlow

    return FluxFlow.of(MU), found.latent


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """The text, which tokens of it count, and the latents of the pictures to edit."""
    config = facts.config
    usual = CLEAN_METHOD if config["zero_cond_t"] else NUMBERED
    return {
        "text": transformer.text(request, facts, int(config["joint_attention_dim"])),
        **transformer.text_mask(request),
        **transformer.references(request, facts, LAYERED_METHOD if config[LAYERED] else usual),
    }


def call(module: Any, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    """The velocity of latents [B, C, T, h, w], as `Family.call`."""
    import torch

    method, references = transformer.given_references(inputs)
    videos = [x, *(each if each.ndim == 5 else each[:, :, None] for each in references)]
    padded = [transformer.padded(video.to(x), PATCH) for video in videos]
    mask = inputs.get(transformer.TEXT_MASK)
    kind = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    config = transformer.config_of(module)
    made = module(
        hidden_states=torch.cat([_tokens(video) for video in padded], dim=1),
        encoder_hidden_states=inputs["text"].to(x),
        encoder_hidden_states_mask=None if mask is None else mask.to(x.device).bool(),
        timestep=timestep,
        img_shapes=[_grids(padded, method)] * len(x),
        additional_t_cond=kind if config[LAYERED] else None,
        clean_references=method == CLEAN_METHOD,
        return_dict=False,
    )[0]
    frames, rows, columns = x.shape[2:]
    own = frames * -(-rows // PATCH) * -(-columns // PATCH)
    flat = transformer.unpacked(
        made[:, :own].reshape(len(x) * frames, own // frames, -1), PATCH, rows, columns
    )
    return flat.reshape(len(x), frames, *flat.shape[1:]).movedim(1, 2)


def _tokens(video: Tensor) -> Tensor:
    """Tokens of a video [B, C, T, h, w], frame by frame."""
    flat = transformer.packed(video.movedim(2, 1).flatten(0, 1), PATCH)
    return flat.reshape(len(video), -1, flat.shape[-1])


def _grids(videos: Sequence[Tensor], method: str) -> list[Any]:
    """Where the tokens of videos [B, C, T, h, w] stand: references before or behind the first."""
    from nodes.models.networks.qwen_image import Grid

    own, *others = ((v.shape[2], v.shape[3] // PATCH, v.shape[4] // PATCH) for v in videos)
    step = -1 if method == LAYERED_METHOD else 1
    return [Grid(*own), *(Grid(*size, first=step * (n + 1)) for n, size in enumerate(others))]


QWEN_IMAGE = Family(
    "Qwen-Image",
    detect,
    "nodes.models.networks.qwen_image:QwenImageTransformer",
    WAN,
    (),
    sampling,
    inputs,
    call,
    safe=("bf16",),
    marks=(CLEAN,),
)
