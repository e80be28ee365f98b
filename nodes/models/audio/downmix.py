"""Many channels mixed down to two (ITU-R BS.775-4, annex 4)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

HALF = math.sqrt(0.5)
LAYOUTS: dict[int, tuple[tuple[float, float], ...]] = {
    1: ((1, 1),),
    2: ((1, 0), (0, 1)),
    3: ((1, 0), (0, 1), (HALF, HALF)),
    4: ((1, 0), (0, 1), (HALF, 0), (0, HALF)),
    5: ((1, 0), (0, 1), (HALF, HALF), (HALF, 0), (0, HALF)),
    6: ((1, 0), (0, 1), (HALF, HALF), (0, 0), (HALF, 0), (0, HALF)),
    7: ((1, 0), (0, 1), (HALF, HALF), (0, 0), (0.5, 0.5), (HALF, 0), (0, HALF)),
    8: ((1, 0), (0, 1), (HALF, HALF), (0, 0), (HALF, 0), (0, HALF), (HALF, 0), (0, HALF)),
}
"""What of each channel is heard left and right, by the number of channels, in the order of WAV:
front left and right, centre, low frequencies (left out), back (left, right), side (left, right);
four are front and back, seven have one back."""


def stereo(waveform: Tensor) -> Tensor:
    """A sound [channels, T] in two channels [2, T].

    Of more than eight channels those in even places are left, those in odd ones right. Where the
    sum is louder than 1 and no channel was, all is made quieter until it is not.
    """
    count = waveform.shape[0]
    layout = LAYOUTS.get(count)
    if layout is None:
        side = 2 / count
        layout = tuple((side, 0.0) if place % 2 == 0 else (0.0, side) for place in range(count))
    weights = torch.tensor(layout, dtype=waveform.dtype).T
    mixed = weights @ waveform
    loudest = float(mixed.abs().max()) if mixed.numel() else 0.0
    allowed = max(1.0, float(waveform.abs().max()) if waveform.numel() else 0.0)
    return mixed * (allowed / loudest) if loudest > allowed else mixed
