"""The handle on an autoencoder by its kind."""

from __future__ import annotations

from nodes.models.families.hunyuan_image_vae_layout import HUNYUAN_IMAGE
from nodes.models.families.vae_layout import FOLDED, TEMPORAL
from nodes.models.families.video_vae_layout import HUNYUAN, WAN
from nodes.models.files.pieces import NetworkSource
from nodes.models.vae.autoencoder import Vae
from nodes.models.vae.folded import FoldedVae
from nodes.models.vae.hunyuan_image import HunyuanImageVae
from nodes.models.vae.streamed import HunyuanVideoVae, WanVae
from nodes.models.vae.video import VideoVae

KINDS = {
    TEMPORAL: VideoVae,
    FOLDED: FoldedVae,
    WAN: WanVae,
    HUNYUAN: HunyuanVideoVae,
    HUNYUAN_IMAGE: HunyuanImageVae,
}
"""By the class in the config; of all others `Vae`."""


def vae_of(part: NetworkSource) -> Vae:
    """The handle on an autoencoder, of pictures or of videos."""
    return KINDS.get(str(part.config.get("_class_name")), Vae)(part)
