"""Wan's transformer: diffusers' own, but for how many tokens a text and a picture may have."""

from __future__ import annotations

from functools import wraps
from typing import Any

from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


class PictureAttention:
    """Attention to the text, and beside it to what a vision encoder saw in a picture.

    Attributes:
        seen: so many tokens, the first ones, are of the picture; None: all are of both.
    """

    def __init__(self) -> None:
        self.seen: int | None = None

    def __call__(
        self, attn: Any, hidden_states: Tensor, encoder_hidden_states: Tensor, *_: Any
    ) -> Tensor:
        """What the attention adds to tokens [B, n, width]."""
        picture = encoder_hidden_states[:, : self.seen]
        text = encoder_hidden_states[:, self.seen or 0 :]
        query = attn.norm_q(attn.to_q(hidden_states))
        pairs = (
            (attn.norm_k(attn.to_k(text)), attn.to_v(text)),
            (attn.norm_added_k(attn.add_k_proj(picture)), attn.add_v_proj(picture)),
        )
        found = [_attended(attn.heads, query, key, value) for key, value in pairs]
        return attn.to_out[0](found[0] + found[1])


def _attended(heads: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    def by_head(tokens: Tensor) -> Tensor:
        return tokens.reshape(*tokens.shape[:2], heads, -1).transpose(1, 2)

    found = scaled_dot_product_attention(by_head(query), by_head(key), by_head(value))
    return found.transpose(1, 2).flatten(2)


class WanTransformer(WanTransformer3DModel):
    """Wan's transformer."""

    @wraps(WanTransformer3DModel.__init__)  # diffusers looks which settings there are
    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        own: Any = self
        self.attentions: list[PictureAttention] = []
        for block in own.blocks if config.get("image_dim") else ():
            self.attentions.append(attention := PictureAttention())
            block.attn2.set_processor(attention)

    def forward(self, hidden_states: Tensor, *given: Any, **more: Any) -> Any:
        """As diffusers' own; what was seen in two pictures is one row of tokens here."""
        seen: Tensor | None = more.get("encoder_hidden_states_image")
        for attention in self.attentions:
            attention.seen = None if seen is None else seen.shape[1]
        own: Any = self
        if seen is not None and own.config.pos_embed_seq_len is not None:
            halves = seen.reshape(2 * len(seen), -1, seen.shape[-1])
            more["encoder_hidden_states_image"] = halves
        theirs: Any = super()
        return theirs.forward(hidden_states, *given, **more)
