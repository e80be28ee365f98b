"""AV1 through Pillow's AVIF: the frames of such an animation are those of a film.

So films are coded by libaom and decoded by dav1d, which need no licence, without another library.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import torch
from PIL import Image, ImageSequence
from torch import Tensor

from nodes.models.films import mp4
from nodes.models.films.track import FilmError, Track
from nodes.models.pictures import as_image, from_image

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


def decoded(track: Track) -> Tensor:
    """Its pictures, float32 [T, H, W, 3] in 0..1.

    Raises:
        FilmError: the samples are broken.
    """
    even = replace(track, durations=[1] * len(track.samples), scale=1)
    file = io.BytesIO(mp4.written([even], {}, brands=SEQUENCE))
    try:
        with Image.open(file, formats=["AVIF"]) as image:
            frames = [from_image(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]
    except (OSError, ValueError) as error:
        raise FilmError(f"its pictures are broken: {error}") from error
    return torch.stack(frames[: len(track.samples)])
