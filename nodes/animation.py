"""Nodes that keep batches of pictures as animations."""

from __future__ import annotations

from typing import Annotated

from engine import Artifact, Choice, Range, Run, Tooltip, node
from nodes.metadata import made_by
from nodes.sockets import Image
from nodes.widgets import Prefix

Rate = Annotated[float, Range(0.01, 1000.0, 0.01), Tooltip("Frames per second.")]


@node("SaveAnimatedWEBP", category="image/animation")
def save_webp(
    run: Run,
    *,
    images: Image,
    filename_prefix: Prefix = "ComfyUI",
    fps: Rate = 6.0,
    lossless: Annotated[
        bool, Tooltip("Every pixel stays as it is; quality does not count.")
    ] = True,
    quality: Annotated[int, Range(0, 100), Tooltip("0 is small, 100 is good.")] = 80,
    method: Annotated[
        str, Choice(("default", "fastest", "slowest")), Tooltip("Slower makes smaller files.")
    ],
) -> Artifact:
    """Keep a batch as the frames of one WebP file, the workflow inside."""
    from nodes.models.images.animations import EFFORTS, webp

    texts = made_by(run)
    effort = EFFORTS[method]
    data = webp(images, texts, fps=fps, lossless=lossless, quality=quality, effort=effort)
    return _saved(run, images, filename_prefix, "webp", data)


@node("SaveAnimatedPNG", category="image/animation")
def save_png(
    run: Run,
    *,
    images: Image,
    filename_prefix: Prefix = "ComfyUI",
    fps: Rate = 6.0,
    compress_level: Annotated[int, Range(0, 9), Tooltip("0 is quick, 9 makes small files.")] = 4,
) -> Artifact:
    """Keep a batch as the frames of one PNG file, the workflow inside."""
    from nodes.models.images.animations import apng

    texts = made_by(run)
    data = apng(images, texts, fps=fps, compression=compress_level)
    return _saved(run, images, filename_prefix, "png", data)


def _saved(run: Run, images: Image, prefix: str, extension: str, data: bytes) -> Artifact:
    height, width = images.shape[1:3]
    file = run.save(prefix, extension, data, width=width, height=height)
    return Artifact(images=[file], animated=[True])
