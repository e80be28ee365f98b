"""Which of the demo model's pictures does an image show? A nearest neighbour without a network.

The feature joins coarse colour with the strength of outlines: CIE Lab pooled to 16x16 and the
absolute gradients of its lightness at 64 px, pooled to 16x16. Of the 244 pictures it finds all
again when they are blurred to 32x32, 235 at 16x16.
"""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HERE = Path(__file__).parent
SIDE = 64
COLUMNS = 20
CELLS = 16

# sRGB to CIE XYZ relative to the D65 white point (IEC 61966-2-1).
TO_XYZ = np.array(
    [
        [0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883],
    ]
)


def nearest(image: NDArray[np.floating]) -> str:
    """The label of the training picture that `image` (RGB, [H, W, 3], 0..1) is closest to."""
    return ranked(image)[0]


def ranked(image: NDArray[np.floating]) -> list[str]:
    """All labels, the closest to `image` (RGB, [H, W, 3], 0..1) first."""
    labels, features = _known()
    distances = ((features - feature(image)) ** 2).sum(1)
    return [labels[index] for index in np.argsort(distances)]


def feature(image: NDArray[np.floating]) -> NDArray[np.float64]:
    """The feature of an RGB image [H, W, 3] in 0..1: 1280 numbers to be compared by distance."""
    bytes_ = (np.clip(image, 0, 1) * 255).round().astype(np.uint8)
    small = Image.fromarray(bytes_).resize((SIDE, SIDE), Image.Resampling.BOX)
    colour = lab(np.asarray(small) / 255)
    light = colour[..., 0]
    across = np.abs(np.diff(light, axis=1, append=light[:, -1:]))
    down = np.abs(np.diff(light, axis=0, append=light[-1:]))
    outline = np.stack([across, down], -1) * 4
    return np.concatenate([_pool(colour).ravel(), _pool(outline).ravel()]) / CELLS


def lab(image: NDArray[np.floating]) -> NDArray[np.float64]:
    """CIE Lab of sRGB values 0..1, divided by 100: lightness 0..1."""
    linear = np.where(image <= 0.04045, image / 12.92, ((image + 0.055) / 1.055) ** 2.4)
    xyz = linear @ TO_XYZ.T
    root = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack([1.16 * y - 0.16, 5 * (x - y), 2 * (y - z)], -1)


def save_references(pictures: NDArray[np.float32]) -> None:
    """Store the training pictures ([N, H, W, 3], 0..1, in the order of `labels.txt`) at 64 px."""
    rows = -(-len(pictures) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * SIDE, rows * SIDE), "white")
    for index, picture in enumerate(pictures):
        tile = Image.fromarray((np.clip(picture, 0, 1) * 255).round().astype(np.uint8))
        corner = (index % COLUMNS * SIDE, index // COLUMNS * SIDE)
        sheet.paste(tile.resize((SIDE, SIDE), Image.Resampling.BOX), corner)
    sheet.save(HERE / "references.webp", quality=90, method=6)


def references() -> NDArray[np.float64]:
    """The stored training pictures at 64 px: [N, 64, 64, 3], 0..1, in the order of `labels.txt`."""
    count = len((HERE / "labels.txt").read_text().splitlines())
    sheet = np.asarray(Image.open(HERE / "references.webp").convert("RGB")) / 255
    tiles = sheet.reshape(-1, SIDE, COLUMNS, SIDE, 3).swapaxes(1, 2)
    return tiles.reshape(-1, SIDE, SIDE, 3)[:count]


def _pool(values: NDArray[np.float64]) -> NDArray[np.float64]:
    size = SIDE // CELLS
    return values.reshape(CELLS, size, CELLS, size, -1).mean((1, 3))


@cache
def _known() -> tuple[list[str], NDArray[np.float64]]:
    labels = (HERE / "labels.txt").read_text().splitlines()
    return labels, np.stack([feature(tile) for tile in references()])
