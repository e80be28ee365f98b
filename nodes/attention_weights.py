"""Nodes that let the attention of a model count more or less, by its weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from engine import Range, Tooltip, node
from nodes.sockets import Clip, Model

Times = Annotated[float, Range(0.0, 10.0, 0.01), Tooltip("So many times as large.")]
CATEGORY = "_for_testing/attention_experiments"


@node("CLIPAttentionMultiply", category=CATEGORY, display_name="CLIP Attention Multiply")
def scale_text_attention(
    *, clip: Clip, q: Times = 1.0, k: Times = 1.0, v: Times = 1.0, out: Times = 1.0
) -> Clip:
    """Let the attention within a text count more or less."""
    from nodes.models.networks.scaled_weights import text_attention
    from nodes.models.text.text_encoder import clip_alone

    return clip_alone(clip).changed(lambda _: [text_attention(q, k, v, out)], clip.hooks)


@node(
    "UNetTemporalAttentionMultiply",
    category=CATEGORY,
    display_name="UNet Temporal Attention Multiply",
    experimental=True,
)
def scale_temporal_attention(
    *,
    model: Model,
    self_structural: Times = 1.0,
    self_temporal: Times = 1.0,
    cross_structural: Times = 1.0,
    cross_temporal: Times = 1.0,
) -> Model:
    """Let attention count more or less, within the pictures of a video and along its time.

    Models of pictures have the former alone.
    """
    from nodes.models.networks.scaled_weights import attention_outputs

    patch = attention_outputs((self_structural, cross_structural), (self_temporal, cross_temporal))
    if not any(True for _ in patch.changes(model.source)):
        return model
    return replace(model, patches=(*model.patches, patch))
