"""Pictures as other programs write them, for tests."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin

A1111 = """a (red:1.3) fox, [blurry] trees, <lora:detail:0.8> easyneg BREAK
snow ünd ice <lora:style:0.5:0.25>
Negative prompt: bad hands,
worse feet
Steps: 24, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 4294967295, Size: 512x768, \
Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, VAE: kl-f8-anime2.ckpt, Clip skip: 2, \
ENSD: 31337, Denoising strength: 0.45, Hires upscale: 1.5, Hires steps: 12, \
Hires upscaler: Latent (bicubic), TI hashes: "easyneg: c74b4e810b03", \
Lora hashes: "detail: 1, style: 2", ADetailer model: "face, yolo", Version: v1.9.4"""

INVOKE: dict[str, Any] = {
    "generation_mode": "txt2img",
    "positive_prompt": "a red fox",
    "negative_prompt": "fog",
    "width": 640,
    "height": 512,
    "seed": 77,
    "cfg_scale": 5.5,
    "steps": 18,
    "scheduler": "dpmpp_2m_k",
    "model": {"key": "x", "name": "dreamshaper", "base": "sd-1"},
    "loras": [{"model": {"name": "detail"}, "weight": 0.6}],
    "strength": 0.7,
}

SWARM: dict[str, Any] = {
    "sui_image_params": {
        "prompt": "a red fox <lora:style:0.4>",
        "negativeprompt": "fog",
        "model": "SDXL/base.safetensors",
        "seed": 9,
        "steps": 30,
        "cfgscale": 7.0,
        "width": 1024,
        "height": 768,
        "sampler": "dpmpp_2m_sde",
        "scheduler": "karras",
        "loras": ["detail"],
        "loraweights": ["0.75"],
        "refinerupscale": 2.0,
        "refinercontrolpercentage": 0.3,
        "refinerupscalemethod": "model-4x.pth",
        "swarm_version": "0.9",
        "freeu": True,
    }
}


def png(name: str, text: str, *, compressed: bool = False) -> bytes:
    """A PNG with one text; a tEXt chunk where Latin letters do, else iTXt."""
    info = PngImagePlugin.PngInfo()
    info.add_text(name, text, zip=compressed)
    return _saved("PNG", pnginfo=info)


def with_comment(format: str, comment: bytes) -> bytes:
    """A JPEG or WebP with a user's comment in its EXIF."""
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    return _saved(format, exif=exif.tobytes())


def unicode_comment(text: str, order: str = "utf-16-be") -> bytes:
    """The comment of a user in Unicode."""
    return b"UNICODE\0" + text.encode(order)


def _saved(format: str, **options: Any) -> bytes:
    file = BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, format, **options)
    return file.getvalue()


CARRIERS = {
    "PNG, iTXt": png("parameters", A1111),
    "PNG, tEXt": png("parameters", A1111.replace("ü", "u")),
    "PNG, packed": png("parameters", A1111, compressed=True),
    "JPEG": with_comment("JPEG", unicode_comment(A1111)),
    "JPEG of the other order": with_comment("JPEG", unicode_comment(A1111, "utf-16-le")),
    "JPEG in ASCII": with_comment("JPEG", b"ASCII\0\0\0" + A1111.replace("ü", "u").encode()),
    "WebP": with_comment("WEBP", unicode_comment(A1111)),
    "WebP without a code": with_comment("WEBP", bytes(8) + A1111.encode()),
    "a text file": A1111.encode(),
}
OTHERS = {
    "InvokeAI": png("invokeai_metadata", json.dumps(INVOKE)),
    "SwarmUI": png("parameters", json.dumps(SWARM)),
    "SwarmUI, JPEG": with_comment("JPEG", unicode_comment(json.dumps(SWARM))),
}
