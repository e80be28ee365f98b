"""The families that can be loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nodes.models.families.auraflow import AURAFLOW
from nodes.models.families.chroma import CHROMA
from nodes.models.families.family import Family, Net
from nodes.models.families.flux import FLUX
from nodes.models.families.flux2 import FLUX2
from nodes.models.families.hunyuan_image import HUNYUAN_IMAGE
from nodes.models.families.hunyuan_video import HUNYUAN_VIDEO
from nodes.models.families.hunyuan_video15 import HUNYUAN_VIDEO15
from nodes.models.families.ltxv import LTXV
from nodes.models.families.lumina2 import LUMINA2
from nodes.models.families.qwen_image import QWEN_IMAGE
from nodes.models.families.sd1 import SD1
from nodes.models.families.sd2 import SD2
from nodes.models.families.sd2_unclip import SD2_UNCLIP
from nodes.models.families.sd2_upscaler import SD2_UPSCALER
from nodes.models.families.sd3 import SD3
from nodes.models.families.sdxl import SDXL
from nodes.models.families.sdxl_refiner import SDXL_REFINER
from nodes.models.families.sv3d import SV3D
from nodes.models.families.svd import SVD
from nodes.models.families.wan import WAN, WAN22_5B
from nodes.models.families.z_image import Z_IMAGE
from nodes.models.families.zero123 import ZERO123

FAMILIES = (
    ZERO123,
    SD1,
    SD2,
    SD2_UNCLIP,
    SD2_UPSCALER,
    SDXL,
    SDXL_REFINER,
    SVD,
    SV3D,
    SD3,
    FLUX,
    CHROMA,
    FLUX2,
    AURAFLOW,
    HUNYUAN_IMAGE,
    Z_IMAGE,
    LUMINA2,
    QWEN_IMAGE,
    WAN,
    WAN22_5B,
    LTXV,
    HUNYUAN_VIDEO15,
    HUNYUAN_VIDEO,
)
"""In the order in which they are asked."""
PREFIXES = ("model.diffusion_model.", "diffusion_model.", "model.model.", "")
"""What the names of a denoiser may have in front."""


def detected(shapes: Mapping[str, Sequence[int]]) -> tuple[Family, Net, str] | None:
    """The family of the denoiser in a file, the denoiser, and the prefix of its names."""
    for prefix in PREFIXES:
        own = {
            name.removeprefix(prefix): shape
            for name, shape in shapes.items()
            if name.startswith(prefix)
        }
        for family in FAMILIES if own else ():
            there = all(name in shapes for name in family.needed)
            if there and (net := family.detect(own)) is not None:
                return family, net, prefix
        if own and prefix:
            return None
    return None
