"""Transformers of the FLUX kind: those of diffusers, with inputs that they leave out."""

from __future__ import annotations

import warnings
from functools import wraps
from typing import Any

import torch
from diffusers.models import embeddings
from diffusers.models.transformers.transformer_chroma import ChromaTransformer2DModel
from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel
from torch import Tensor, nn

EMBEDDINGS: Any = embeddings  # has no types
SINES = 256
VECTORS = 344
"""That Chroma's network makes: of 19 blocks of picture and text, 38 of both, and the end."""


class TimeTextEmbedding(nn.Module):
    """The vector of the level of noise, the scale of guidance and the pooled text.

    Args:
        width: of the vector.
        pooled: width of the pooled text.
        guided: whether the network knows a scale of guidance, which a conditioning may leave out.
    """

    def __init__(self, width: int, pooled: int, *, guided: bool) -> None:
        super().__init__()
        embed = EMBEDDINGS.TimestepEmbedding
        self.time_proj = _sines(SINES)
        self.timestep_embedder = embed(in_channels=SINES, time_embed_dim=width)
        if guided:
            self.guidance_embedder = embed(in_channels=SINES, time_embed_dim=width)
        self.text_embedder = EMBEDDINGS.PixArtAlphaTextProjection(pooled, width, act_fn="silu")

    def forward(self, timestep: Tensor, *given: Tensor) -> Tensor:
        """The vector [B, width] of timesteps [B], scales of guidance [B] or none, and texts."""
        *guidance, pooled = given
        found = self.timestep_embedder(self.time_proj(timestep).to(pooled))
        for scale in guidance:
            found = found + self.guidance_embedder(self.time_proj(scale).to(pooled))
        return found + self.text_embedder(pooled)


class FluxTransformer(FluxTransformer2DModel):
    """FLUX.1, whose guidance may be left out."""

    @wraps(FluxTransformer2DModel.__init__)  # diffusers looks which settings there are
    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        own: Any = self
        self.time_text_embed = TimeTextEmbedding(
            own.inner_dim, own.config.pooled_projection_dim, guided=own.config.guidance_embeds
        )


class PlacedTimeEmbedding(nn.Module):
    """The level of noise, the scale of guidance and the number of a vector, as sines.

    Args:
        width: of one of the first two; the number takes as much as both.
        vectors: how many.
    """

    mod_proj: Tensor

    def __init__(self, width: int, vectors: int) -> None:
        super().__init__()
        self.time_proj = _sines(width)
        numbers = _sines(2 * width)(torch.arange(vectors) * 1000)
        self.register_buffer("mod_proj", numbers, persistent=False)

    def forward(self, given: Tensor) -> Tensor:
        """[B, vectors, 4 width] of thousandfold levels and scales [B, 2]."""
        both = self.time_proj(given.flatten()).reshape(len(given), 1, -1)
        shape = len(given), len(self.mod_proj), -1
        return torch.cat([both.expand(shape), self.mod_proj.expand(shape)], dim=-1).to(given.dtype)


class ChromaTransformer(ChromaTransformer2DModel):
    """Chroma, which is given the scale of guidance beside the level: ``timestep`` is [B, 2]."""

    @wraps(ChromaTransformer2DModel.__init__)
    def __init__(self, **config: Any) -> None:
        with warnings.catch_warnings():  # diffusers warns of what it imports itself
            warnings.simplefilter("ignore", FutureWarning)
            super().__init__(**config)
        own: Any = self
        width: int = own.config.approximator_num_channels // 4
        self.time_text_embed = PlacedTimeEmbedding(width, VECTORS)


def _sines(width: int) -> Any:
    return EMBEDDINGS.Timesteps(width, flip_sin_to_cos=True, downscale_freq_shift=0)
