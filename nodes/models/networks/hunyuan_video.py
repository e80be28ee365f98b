"""HunyuanVideo's transformers: diffusers' own, but without masks that hide nothing.

The tokens of a text that do not count are left out before, so that kernels without masks do.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from diffusers.models.transformers.transformer_hunyuan_video import (
    HunyuanVideoAttnProcessor2_0,
    HunyuanVideoTransformer3DModel,
)
from diffusers.models.transformers.transformer_hunyuan_video15 import (
    HunyuanVideo15TimeEmbedding,
    HunyuanVideo15Transformer3DModel,
)
from torch import Tensor


class Unmasked(HunyuanVideoAttnProcessor2_0):
    """Attention of all tokens to all."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        image_rotary_emb: Any = None,
    ) -> Any:
        """What the attention adds to the tokens of the video and of the text."""
        theirs: Any = super()
        return theirs.__call__(attn, hidden_states, encoder_hidden_states, None, image_rotary_emb)


class Time(HunyuanVideo15TimeEmbedding):
    """The vector of the level of noise; its timestep is not rounded to the network's format."""

    def forward(self, timestep: Tensor, timestep_r: Tensor | None = None) -> Tensor:
        """The vector [B, width] of timesteps [B]."""
        own: Any = self
        sines: Tensor = own.time_proj(timestep)
        return own.timestep_embedder(sines.to(own.timestep_embedder.linear_1.bias.dtype))


def _unmask(network: Any) -> None:
    lists = network.transformer_blocks, getattr(network, "single_transformer_blocks", ())
    for block in (block for blocks in lists for block in blocks):
        block.attn.set_processor(Unmasked())


class HunyuanVideoTransformer(HunyuanVideoTransformer3DModel):
    """HunyuanVideo's transformer."""

    @wraps(HunyuanVideoTransformer3DModel.__init__)  # diffusers looks which settings there are
    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        _unmask(self)


class HunyuanVideo15Transformer(HunyuanVideo15Transformer3DModel):
    """The transformer of HunyuanVideo 1.5."""

    @wraps(HunyuanVideo15Transformer3DModel.__init__)  # diffusers looks which settings there are
    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        own: Any = self
        own.time_embed = Time(own.config.num_attention_heads * own.config.attention_head_dim)
        _unmask(self)
