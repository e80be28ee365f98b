"""TIFF files of kinds of numbers that Pillow does not open: floats of colours, of 16 and 64 bits.

tifffile opens them, unless they are packed in ways that need imagecodecs, a very large library.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.values import Numbers, scaled

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # of damage the user hears otherwise

WHITE_IS_ZERO = 0
TURNED: Mapping[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(a.swapaxes(0, 1), 2), 8: np.rot90,
}  # fmt: skip
"""By the tag Orientation."""


def size(data: bytes) -> tuple[int, int]:
    """Width and height of the first page.

    Raises:
        Exception: any, of a file that is broken.
    """
    with _opened(data) as file:
        page = file.pages[0]
        return int(page.imagewidth), int(page.imagelength)


def pages(data: bytes, warn: Callable[[str], None]) -> Iterator[Numbers]:
    """The pages of a file, each [H, W, C] in 0..1 of 1 to 4 channels.

    Args:
        data: the file.
        warn: see `scaled`.

    Raises:
        Exception: any, of a file that is broken, or packed in a way that is not supported.
    """
    with _opened(data) as file:
        for page in file.pages:
            yield _page(page, warn)


def _opened(data: bytes) -> Any:
    library: Any = import_module("tifffile")
    return library.TiffFile(io.BytesIO(data))


def _page(page: Any, warn: Callable[[str], None]) -> Numbers:
    values: NDArray[np.generic] = page.asarray(maxworkers=1)
    if not values.size:
        raise ValueError("it has no pixels")
    if page.axes == "SYX":
        values = np.moveaxis(values, 0, -1)
    elif page.axes == "YX":
        values = values[..., None]
    elif page.axes != "YXS":
        raise ValueError(f"its dimensions are {page.axes}")
    channels = values.shape[-1]
    if channels > 4:
        warn(f"of its {channels} channels the first three are taken for red, green and blue")
        values = values[..., :3]
    if channels in (2, 4):
        found = np.concatenate(
            [scaled(values[..., :-1], warn), scaled(values[..., -1:], lambda _: None)], axis=-1
        )
    else:
        found = scaled(values, warn)
    if page.photometric == WHITE_IS_ZERO:
        found = 1 - found
    turn = TURNED.get(int(page.tags[274].value)) if 274 in page.tags else None
    return np.ascontiguousarray(found if turn is None else turn(found))
