"""The pictures of the bundled workflows' cards: `python -m tests.workflows.pictures [NAME ...]`.

Each workflow is run as it is, and what it saved is put together: pictures in a grid, the loudness
of sounds as bars below them. They are made when the built-in model or a workflow is another, and
looked at; no test compares them. Workflows whose models have to be pulled are left out.
"""

from __future__ import annotations

import asyncio
import math
import sys
import tempfile
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageSequence

from engine.client import Client
from engine.client.updates import Result
from tests import bundled
from tests.conftest import Service, start_service
from tests.web.pictures import voice

SIDE = 256
MOST = 16  # pictures in a grid
STRIP = 64  # px of height for a sound below pictures
BARS = 44
INDIGO = (92, 88, 200)
SOUNDS = {".wav", ".mp3", ".flac"}
LARGEST = 25_000  # bytes
soundfile: Any = import_module("soundfile")  # has no type stubs


def grid(pictures: list[Image.Image], height: int) -> Image.Image:
    """Pictures as large as they fit, side by side on white: [height, 256]."""
    page = Image.new("RGB", (SIDE, height), "white")
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    cell = min(SIDE // columns, height // rows)
    left, top = (SIDE - columns * cell) // 2, (height - rows * cell) // 2
    for place, picture in enumerate(pictures):
        small = picture.convert("RGB")
        small.thumbnail((cell, cell), Image.Resampling.LANCZOS)
        if picture.width < cell:
            small = picture.convert("RGB").resize((cell, cell), Image.Resampling.BICUBIC)
        corner = (left + place % columns * cell, top + place // columns * cell)
        page.paste(small, (corner[0] + (cell - small.width) // 2, corner[1]))
    return page


def bars(sound: NDArray[np.float32], height: int) -> Image.Image:
    """The loudness of a sound [n] as bars: [height, 256]."""
    page = Image.new("RGB", (SIDE, height), "white")
    pen = ImageDraw.Draw(page)
    loud = np.array([np.sqrt((part**2).mean()) for part in np.array_split(sound, BARS)])
    for place, level in enumerate(loud / loud.max()):
        x = 12 + place * (SIDE - 24) / BARS
        half = max(2.0, level * height * 0.42)
        pen.rounded_rectangle((x, height / 2 - half, x + 3, height / 2 + half), 1.5, INDIGO)
    return page


def card(pictures: list[Image.Image], sounds: list[NDArray[np.float32]]) -> Image.Image:
    """What a workflow saved, as one picture of 256 px."""
    if not sounds:
        return grid(pictures[:MOST], SIDE)
    sound = np.concatenate(sounds)
    if not pictures:
        return bars(sound, SIDE)
    page = Image.new("RGB", (SIDE, SIDE), "white")
    page.paste(grid(pictures[:MOST], SIDE - STRIP), (0, 0))
    page.paste(bars(sound, STRIP), (0, SIDE - STRIP))
    return page


def frames(path: Path) -> list[Image.Image]:
    """The pictures of a file; of a moving one, four from its beginning to its end."""
    with Image.open(path) as file:
        found = [frame.convert("RGB") for frame in ImageSequence.Iterator(file)]
    if len(found) <= 1:
        return found
    return [found[round(n * (len(found) - 1) / 3)] for n in range(4)]


def small_jpeg(page: Image.Image) -> bytes:
    """A picture as a JPEG of at most `LARGEST` bytes, as good as it can be."""
    written = BytesIO()
    for quality in range(90, 40, -5):
        written = BytesIO()
        page.save(written, "JPEG", quality=quality, optimize=True)
        if written.tell() <= LARGEST:
            break
    return written.getvalue()


async def make(name: str, service: Service) -> None:
    """Run a workflow and write its picture beside it."""
    async with Client(service.url) as client:
        *_, ended = [update async for update in client.run(bundled.prompt(name))]
    if not isinstance(ended, Result) or ended.status != "success":
        sys.exit(f"{name}: {ended}")
    pictures: list[Image.Image] = []
    sounds: list[NDArray[np.float32]] = []
    for file in ended.files:
        path = service.home / file.type / file.subfolder / file.filename
        if path.suffix in SOUNDS:
            samples = np.asarray(soundfile.read(path, dtype="float32", always_2d=True)[0])
            sounds.append(samples.mean(1))
        else:
            pictures += frames(path)
    page = card(pictures, sounds)
    (bundled.FOLDER / f"{name}.jpg").write_bytes(small_jpeg(page))


def main(names: list[str]) -> None:
    """Make the named pictures, or all."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "models").mkdir()
        (home / "models" / "kokoro").symlink_to(voice())
        service = start_service(home)
        try:
            for name in names or [name for name in bundled.NAMES if name != "lcm"]:
                asyncio.run(make(name, service))
        finally:
            service.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
