"""The training pictures: Fluent emoji in 3D (MIT) with their names from emojibase (MIT).

Both come as npm packages, fetched once by the ordinary npm client into `training/.cache`, pinned by
sha256 and read as data: nothing in them is installed or run.
"""

import hashlib
import io
import json
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HERE = Path(__file__).parent
CACHE = HERE / ".cache"
SIDE = 128
ART = 116  # the art leaves a margin of 6 px, so that no outline touches the border of the picture


@dataclass(frozen=True)
class Package:
    """An npm package, pinned."""

    name: str
    archive: str
    sha256: str


ART_PACKAGE = Package(
    "@lobehub/fluent-emoji-3d@1.1.0",
    "lobehub-fluent-emoji-3d-1.1.0.tgz",
    "c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
)
NAME_PACKAGE = Package(
    "emojibase-data@17.0.0",
    "emojibase-data-17.0.0.tgz",
    "d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
)

# Emojibase numbers. Left out: components, flags, text glyphs, plates and signs, families.
GROUPS_LEFT_OUT = {2, 9}
SUBGROUPS_LEFT_OUT = {30, 31, 83, 84, 85, 86, 88, 89, 90, 91, 92, 93, 94, 95}
SAME_PICTURE = 0.04  # root mean square over a 32 px version on white, values 0..1


@dataclass(frozen=True)
class Emoji:
    """A named picture: `rgba` is uint8 [128, 128, 4] with premultiplied alpha.

    `tags` are words that emojibase has for it, none of them in its label.
    """

    label: str
    tags: tuple[str, ...]
    rgba: NDArray[np.uint8]


def fetch(package: Package, cache: Path = CACHE) -> Path:
    """The package's archive in the cache, fetched by npm if it is not there yet.

    Raises:
        ValueError: it cannot be fetched, or is not the pinned one, which is then removed.
    """
    path = cache / package.archive
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(["npm", "pack", package.name, "--silent"], cwd=cache, check=True)
        except (FileNotFoundError, subprocess.CalledProcessError):
            raise ValueError(
                f"npm cannot fetch {package.name}; install Node and try again where there is a "
                f"network, or put {package.archive} into {cache}"
            ) from None
    if hashlib.sha256(path.read_bytes()).hexdigest() != package.sha256:
        path.unlink()
        raise ValueError(f"{package.name}: the archive's sha256 is not the pinned one; run again")
    return path


def chosen_labels() -> list[str]:
    """The names the demo model can draw, in the order of `labels.txt`."""
    return (HERE / "labels.txt").read_text().splitlines()


def on_white(rgba: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Premultiplied RGBA laid on white: float32 [..., H, W, 3], 0..1."""
    picture: NDArray[np.float32] = rgba.astype(np.float32) / np.float32(255)
    return picture[..., :3] + (1 - picture[..., 3:])


def clean_emoji(cache: Path = CACHE) -> list[Emoji]:
    """All emoji fit for training an autoencoder, without flags, glyphs and near copies."""
    names = _names(cache)
    kept: list[Emoji] = []
    small = np.empty((0, 32, 32, 3), np.float32)
    with tarfile.open(fetch(ART_PACKAGE, cache)) as archive:
        members = {_code(Path(m.name).stem): m for m in archive if m.name.endswith(".webp")}
        for code, (label, tags) in names.items():
            if code not in members:
                continue
            file = archive.extractfile(members[code])
            assert file is not None  # the archive holds plain files only
            rgba = _canvas(file.read())
            tiny = on_white(rgba).reshape(32, 4, 32, 4, 3).mean((1, 3))
            distances = np.sqrt(((small - tiny) ** 2).mean((1, 2, 3)))
            if (distances >= SAME_PICTURE).all():
                kept.append(Emoji(label, tags, rgba))
                small = np.concatenate([small, tiny[None]])
    return kept


def _names(cache: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Label and tags by code point; chosen ones first, so that a near copy of one is dropped."""
    with tarfile.open(fetch(NAME_PACKAGE, cache)) as archive:
        file = archive.extractfile("package/en/data.json")
        assert file is not None  # a plain file of the pinned archive
        entries: list[dict[str, Any]] = json.load(file)
    chosen = set(chosen_labels())
    fit = [
        entry
        for entry in entries
        if entry.get("group") not in {None, *GROUPS_LEFT_OUT}
        and entry["subgroup"] not in SUBGROUPS_LEFT_OUT
        and not entry["label"].endswith(("o\N{RIGHT SINGLE QUOTATION MARK}clock", "-thirty"))
    ]
    fit.sort(key=lambda entry: (entry["label"] not in chosen, entry["order"]))
    return {_code(entry["hexcode"]): (entry["label"], _tags(entry)) for entry in fit}


def _tags(entry: dict[str, Any]) -> tuple[str, ...]:
    own = set(entry["label"].lower().split())
    return tuple(tag for tag in entry.get("tags", []) if not own & set(tag.lower().split()))


def _code(name: str) -> str:
    """One spelling of code points: lower case, no variation selector, no leading zeros."""
    parts = [part.lstrip("0") for part in name.lower().split("-")]
    return "-".join(part for part in parts if part != "fe0f")


def _canvas(webp: bytes) -> NDArray[np.uint8]:
    """The art at 116 px in the middle of a transparent 128 px square, premultiplied.

    Resized with premultiplied alpha, else the transparent pixels' colour makes fringes.
    """
    art = Image.open(io.BytesIO(webp)).convert("RGBA").convert("RGBa")
    canvas = np.zeros((SIDE, SIDE, 4), np.uint8)
    edge = (SIDE - ART) // 2
    canvas[edge : edge + ART, edge : edge + ART] = np.asarray(
        art.resize((ART, ART), Image.Resampling.LANCZOS)
    )
    # The filter overshoots at edges; no premultiplied colour is brighter than its alpha.
    np.minimum(canvas[..., :3], canvas[..., 3:], out=canvas[..., :3])
    return canvas


def load_clean(cache: Path = CACHE) -> list[Emoji]:
    """`clean_emoji`, from the cache after the first time."""
    path = cache / "pictures.npz"
    if not path.exists():
        emoji = clean_emoji(cache)
        np.savez(
            path,
            label=[e.label for e in emoji],
            tags=["\n".join(e.tags) for e in emoji],
            rgba=np.stack([e.rgba for e in emoji]),
        )
    with np.load(path) as stored:
        return [
            Emoji(str(label), tuple(str(tags).splitlines()), rgba)
            for label, tags, rgba in zip(
                stored["label"], stored["tags"], stored["rgba"], strict=True
            )
        ]
