"""Transformers of the FLUX kind: those of diffusers, with inputs that they leave out."""

from __future__ import annotations

from functools import wraps
from typing import Any

from diffusers.models import embeddings
from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel
from torch import Tensor, nn

EMBEDDINGS: Any = embeddings  # has no types
SINES = 256


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
        self.time_proj = EMBEDDINGS.Timesteps(SINES, flip_sin_to_cos=True, downscale_freq_shift=0)
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
