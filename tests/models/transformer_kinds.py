"""Kinds of transformers: settings of tiny ones, and what diffusers' networks answer for them.

They are called as the original code calls its own; widths are as small as heads allow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers.models.transformers import transformer_chroma
from diffusers.models.transformers.auraflow_transformer_2d import AuraFlowTransformer2DModel
from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel
from diffusers.models.transformers.transformer_flux2 import Flux2Transformer2DModel
from diffusers.models.transformers.transformer_hunyuanimage import HunyuanImageTransformer2DModel
from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel
from torch import Tensor

from tests.models import transformers

CONTEXT, POOLED = 24, 12
LEVEL = 0.6
ROWS, COLUMNS = 5, 6
"""Of the latents; not all sides are multiples of a patch."""


@dataclass(frozen=True)
class Asked:
    """What a network is asked in a test."""

    x: Tensor
    text: Tensor
    options: dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of model.

    Attributes:
        family: its name.
        network: class of diffusers.
        settings: of a tiny one.
        original: its weights in original names.
        answer: what diffusers' network gives, called as the original code calls it.
        channels: of the latents.
        options: of the conditioning.
    """

    family: str
    network: Any
    settings: dict[str, Any]
    original: Callable[[transformers.Weights], dict[str, Tensor]]
    answer: Callable[[Any, Asked], Tensor]
    channels: int = 16
    options: dict[str, Any] = field(default_factory=dict[str, Any])


def asked(kind: Kind) -> Asked:
    torch.default_generator.manual_seed(3)
    x = torch.randn(2, kind.channels, ROWS, COLUMNS)
    return Asked(
        x, torch.randn(1, 7, CONTEXT), {"pooled_output": torch.randn(1, POOLED), **kind.options}
    )


def tokens(x: Tensor, *, first: int = 0, top: int = 0, left: int = 0) -> tuple[Tensor, Tensor]:
    """Patches of 2 x 2 as tokens, and their places; sides that are odd begin again."""
    for axis in (-2, -1):
        if x.shape[axis] % 2:
            x = torch.cat([x, x.narrow(axis, 0, 1)], dim=axis)
    found: list[Tensor] = []
    places: list[list[int]] = []
    for row in range(x.shape[-2] // 2):
        for column in range(x.shape[-1] // 2):
            patch = x[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            found.append(patch.flatten(1))
            places.append([first, top + row, left + column])
    return torch.stack(found, dim=1), torch.tensor(places)


def picture(tokens: Tensor, rows: int, columns: int) -> Tensor:
    """The inverse of `tokens`."""
    found = torch.zeros(len(tokens), tokens.shape[-1] // 4, rows + rows % 2, columns + columns % 2)
    for place, token in enumerate(tokens.unbind(1)):
        row, column = divmod(place, found.shape[-1] // 2)
        patch = token.reshape(len(tokens), -1, 2, 2)
        found[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = patch
    return found[..., :rows, :columns]


FLUX = {
    "num_layers": 1,
    "num_single_layers": 2,
    "num_attention_heads": 1,
    "joint_attention_dim": CONTEXT,
    "pooled_projection_dim": POOLED,
    "out_channels": 64,
}


def flux_answer(module: Any, asked: Asked) -> Tensor:
    options, x = asked.options, asked.x
    beside = [x]
    if "concat_latent_image" in options:
        beside += [((options["concat_latent_image"] - 0.1159) * 0.3611).expand(2, -1, -1, -1)]
    if "concat_mask" in options:
        rows = [row.chunk(COLUMNS, -1) for row in options["concat_mask"].chunk(ROWS, -2)]
        cells = torch.stack([torch.stack([c.flatten() for c in row], -1) for row in rows], -2)
        beside += [cells.expand(2, -1, -1, -1)]
    seen, places = tokens(torch.cat(beside, dim=1))
    for latents, corner in zip(
        options.get("reference_latents", ()), options.get("corners", ()), strict=True
    ):
        more, where = tokens(
            ((latents - 0.1159) * 0.3611).expand(2, -1, -1, -1),
            first=corner[0], top=corner[1], left=corner[2],
        )  # fmt: skip
        seen, places = torch.cat([seen, more], dim=1), torch.cat([places, where])
    guidance = options.get("guidance", 3.5)
    found = module(
        hidden_states=seen,
        encoder_hidden_states=asked.text.expand(2, -1, -1),
        pooled_projections=options["pooled_output"].expand(2, -1),
        timestep=torch.full((2,), LEVEL),
        guidance=torch.full((2,), guidance) if module.config.guidance_embeds else None,
        img_ids=places,
        txt_ids=torch.zeros(asked.text.shape[1], 3),
    ).sample
    return picture(found[:, : -(-ROWS // 2) * -(-COLUMNS // 2)], ROWS, COLUMNS)


def flux(options: dict[str, Any], channels: int = 64, *, guided: bool = True) -> Kind:
    settings = FLUX | {"in_channels": channels, "guidance_embeds": guided}
    return Kind(
        "FLUX.1", FluxTransformer2DModel, settings, transformers.flux, flux_answer, 16, options
    )


def padded(x: Tensor) -> Tensor:
    """Sides that are odd begin again."""
    for axis in (-2, -1):
        x = torch.cat([x, x.narrow(axis, 0, x.shape[axis] % 2)], dim=axis)
    return x


def chroma_answer(module: Any, asked: Asked) -> Tensor:
    # Files have 344 vectors however many blocks there are; the last two are those of the end.
    embedding: Any = transformer_chroma.ChromaCombinedTimestepTextProjEmbeddings
    module.time_text_embed = embedding(num_channels=16, out_dim=344)
    seen, places = tokens(asked.x)
    found = module(
        hidden_states=seen,
        encoder_hidden_states=asked.text.expand(2, -1, -1),
        timestep=torch.full((2,), LEVEL),
        img_ids=places,
        txt_ids=torch.zeros(asked.text.shape[1], 3),
    ).sample
    return picture(found, ROWS, COLUMNS)


CHROMA = {
    name: value for name, value in FLUX.items() if name != "pooled_projection_dim"
} | {"in_channels": 64, "approximator_hidden_dim": 32}  # fmt: skip


def flux2_answer(module: Any, asked: Asked) -> Tensor:
    cells, places = [asked.x], [(0, ROWS, COLUMNS)]
    for number, latents in enumerate(asked.options.get("reference_latents", ()), 1):
        cells.append(latents.expand(2, -1, -1, -1))
        places.append((10 * number, *latents.shape[-2:]))
    ids = [[n, row, column, 0] for n, rows, columns in places
           for row in range(rows) for column in range(columns)]  # fmt: skip
    text = asked.text.expand(2, -1, -1)
    found = module(
        hidden_states=torch.cat([each.flatten(2).mT for each in cells], dim=1),
        encoder_hidden_states=torch.cat([text.new_zeros(2, 512 - 7, CONTEXT), text], dim=1),
        timestep=torch.full((2,), LEVEL),
        guidance=torch.full((2,), asked.options.get("guidance", 3.5)),
        img_ids=torch.tensor(ids),
        txt_ids=torch.tensor([[0, 0, 0, n] for n in range(512)]),
    ).sample
    return found[:, : ROWS * COLUMNS].mT.reshape(2, 128, ROWS, COLUMNS)


FLUX2 = {
    "num_layers": 1,
    "num_single_layers": 2,
    "num_attention_heads": 1,
    "joint_attention_dim": CONTEXT,
    "in_channels": 128,
}


def sd3_answer(module: Any, asked: Asked) -> Tensor:
    return module(
        hidden_states=padded(asked.x),
        encoder_hidden_states=asked.text.expand(2, -1, -1),
        pooled_projections=asked.options["pooled_output"].expand(2, -1),
        timestep=torch.full((2,), 1000 * LEVEL),
    ).sample[..., :ROWS, :COLUMNS]


SD3 = {
    "sample_size": 16,
    "num_layers": 3,
    "num_attention_heads": 2,
    "joint_attention_dim": CONTEXT,
    "caption_projection_dim": 128,
    "pooled_projection_dim": POOLED,
    "pos_embed_max_size": 8,
}


def auraflow_answer(module: Any, asked: Asked) -> Tensor:
    return module(
        hidden_states=padded(asked.x),
        encoder_hidden_states=asked.text.expand(2, -1, -1),
        timestep=torch.full((2,), LEVEL),
    ).sample[..., :ROWS, :COLUMNS]


AURAFLOW = {
    "num_mmdit_layers": 1,
    "num_single_dit_layers": 2,
    "num_attention_heads": 1,
    "joint_attention_dim": CONTEXT,
    "caption_projection_dim": 256,
    "pos_embed_max_size": 64,
}


def hunyuan_answer(module: Any, asked: Asked) -> Tensor:
    quoted = asked.options.get("conditioning_byt5small")
    mask = asked.options.get("attention_mask", torch.ones(1, 7))
    return module(
        hidden_states=asked.x,
        timestep=torch.full((2,), 1000 * LEVEL),
        encoder_hidden_states=asked.text.expand(2, -1, -1),
        encoder_attention_mask=mask.expand(2, -1),
        encoder_hidden_states_2=None if quoted is None else quoted.expand(2, -1, -1),
        encoder_attention_mask_2=None if quoted is None else torch.ones(2, quoted.shape[1]),
        guidance=torch.full((2,), 6000.0),
    ).sample


HUNYUAN = {
    "num_layers": 1,
    "num_single_layers": 2,
    "num_refiner_layers": 2,
    "num_attention_heads": 1,
    "text_embed_dim": CONTEXT,
    "text_embed_2_dim": 20,
}


SEEN = {
    "concat_latent_image": torch.linspace(-1, 1, 16 * ROWS * COLUMNS).reshape(1, 16, ROWS, COLUMNS)
}
MASK = {"concat_mask": (torch.arange(64 * ROWS * COLUMNS) % 7 > 3).float().reshape(1, ROWS * 8, -1)}
REFERENCES = [torch.ones(1, 16, 4, 6), torch.full((1, 16, 6, 2), 0.5), torch.zeros(1, 16, 2, 2) - 1]
KINDS = {
    "FLUX.1 dev": flux({"guidance": 2.0}),
    "FLUX.1 schnell": flux({}, guided=False),
    "FLUX.1 Fill": flux(SEEN | MASK, 384),
    "FLUX.1 control": flux(SEEN, 128),
    "FLUX.1 Kontext": flux(
        {"reference_latents": REFERENCES, "corners": [(1, 0, 0), (1, 0, 3), (1, 3, 0)]}
    ),
    "Chroma": Kind(
        "Chroma",
        transformer_chroma.ChromaTransformer2DModel,
        CHROMA,
        transformers.chroma,
        chroma_answer,
    ),
    "FLUX.2 dev": Kind(
        "FLUX.2",
        Flux2Transformer2DModel,
        FLUX2,
        transformers.flux2,
        flux2_answer,
        128,
        {"guidance": 2.0},
    ),
    "FLUX.2 klein": Kind(
        "FLUX.2",
        Flux2Transformer2DModel,
        FLUX2 | {"guidance_embeds": False},
        transformers.flux2,
        flux2_answer,
        128,
        {"reference_latents": [torch.ones(1, 128, 2, 3), torch.ones(1, 128, 4, 1)]},
    ),
    "SD3": Kind("Stable Diffusion 3", SD3Transformer2DModel, SD3, transformers.sd3, sd3_answer),
    "SD3.5 medium": Kind(
        "Stable Diffusion 3",
        SD3Transformer2DModel,
        SD3 | {"dual_attention_layers": (0, 1), "qk_norm": "rms_norm"},
        transformers.sd3,
        sd3_answer,
    ),
    "AuraFlow": Kind(
        "AuraFlow", AuraFlowTransformer2DModel, AURAFLOW, transformers.auraflow, auraflow_answer, 4
    ),
    "HunyuanImage 2.1": Kind(
        "HunyuanImage 2.1",
        HunyuanImageTransformer2DModel,
        HUNYUAN,
        transformers.hunyuan_image,
        hunyuan_answer,
        64,
        {"attention_mask": torch.tensor([[1, 1, 1, 1, 1, 0, 0]])},
    ),
    "HunyuanImage 2.1, a text in quotes and a scale of guidance": Kind(
        "HunyuanImage 2.1",
        HunyuanImageTransformer2DModel,
        HUNYUAN | {"guidance_embeds": True},
        transformers.hunyuan_image,
        hunyuan_answer,
        64,
        {"conditioning_byt5small": torch.linspace(-1, 1, 60).reshape(1, 3, 20)},
    ),
    "FLUX.1 Kontext by numbers": flux(
        {
            "reference_latents": REFERENCES,
            "reference_latents_method": "index",
            "corners": [(1, 0, 0), (2, 0, 0), (3, 0, 0)],
        }
    ),
}
