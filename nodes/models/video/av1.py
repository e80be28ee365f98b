"""AV1 through Pillow's AVIF: the frames of such an animation are those of a video.

So videos are coded by libaom and decoded by dav1d, which need no licence, without another library.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import torch
from PIL import Image
from torch import Tensor

from media.pictures import DAMAGE
from nodes.models.images.pictures import as_image, from_image
from nodes.models.video import mp4
from nodes.models.video.track import Track, VideoError

log = logging.getLogger(__name__)

WORST_CRF = 63
SPEED = 8  # of 0 (best) to 10
SEQUENCE = b"avis", b"avis", b"msf1", b"iso8"  # and no still beside it


def encoded(pictures: Sequence[Tensor], rate: Fraction, crf: float) -> Track:
    """Pictures [H, W, C] in 0..1 as a track of AV1.

    Args:
        pictures: of one size, at least one; what is transparent is left out.
        rate: pictures for each second.
        crf: 0 (best) to 63.
    """
    frames = [as_image(picture[..., :3]).convert("RGB") for picture in pictures]
    if len(frames) == 1:
        frames *= 2  # one alone would be a still
    file = io.BytesIO()
    frames[0].save(
        file,
        "AVIF",
        save_all=True,
        append_images=frames[1:],
        quality=round(100 * (1 - crf / WORST_CRF)),
        subsampling="4:2:0",
        speed=SPEED,
        duration=1000,
    )
    (track,) = mp4.read(file.getvalue())
    samples = track.samples[: len(pictures)]
    durations = [rate.denominator] * len(samples)
    return Track(
        "av01", track.config, samples, durations, rate.numerator, track.keys, frames[0].size
    )


def decoded(track: Track, warn: Callable[[str], None] = log.warning) -> Tensor:
    """Its pictures, float32 [T, H, W, 3] in 0..1, up to the first that cannot be decoded.

    Raises:
        VideoError: none can.
    """
    even = replace(track, durations=[1] * len(track.samples), scale=1)
    frames: list[Tensor] = []
    try:
        file = io.BytesIO(mp4.written([even], {}, brands=SEQUENCE))
        with Image.open(file, formats=["AVIF"]) as image:
            if track.size is None or image.width * image.height > 2 * track.size[0] * track.size[1]:
                raise VideoError("its pictures are larger than the file says; it is broken")
            for number in range(len(track.samples)):
                image.seek(number)
                frames.append(from_image(image.convert("RGB")))
    except (EOFError, VideoError) as error:
        if isinstance(error, VideoError):
            raise
    except DAMAGE:
        warn(f"it is damaged: {len(frames)} of its {len(track.samples)} pictures can be read")
    if not frames:
        raise VideoError("its pictures are broken; get it anew")
    return torch.stack(frames)
