"""From where an object is seen, as networks that turn objects are told."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def camera(elevation: float, azimuth: float) -> Tensor:
    """The way of the camera from a picture at eye level, [4]: what Stable Zero123 is told.

    The polar angle beyond the picture's, sine and cosine of the azimuth, the polar angle of the
    picture, in radians, of degrees (threestudio, guidance of Stable Zero123).
    """
    up, around = torch.tensor(-elevation).deg2rad(), torch.tensor(azimuth).deg2rad()
    return torch.stack([up, around.sin(), around.cos(), torch.tensor(90.0).deg2rad()])


def orbit(views: int) -> Sequence[float]:
    """Azimuths in degrees of views once around an object, the last as in the picture.

    As Stable Video 3D was sampled by its authors (generative-models, simple_video_sample).
    """
    return [(view + 1) * 360 / views % 360 for view in range(views)]
