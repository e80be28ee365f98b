"""Latents: sizes, batches, one upon another.

A latent picture is float32 [B, C, h, w]; a side is an eighth of the picture's.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from nodes.models.files.tensor_files import ModelFileError
from nodes.models.images.batches import repeated
from nodes.models.images.compositing import pasted
from nodes.models.images.masks import ramps
from nodes.models.images.pictures import cut_to_proportions, scaled
from nodes.models.memory import ask_for

if TYPE_CHECKING:
    from typing import NotRequired

SCALE_METHODS = ("nearest-exact", "bilinear", "area", "bicubic", "bislerp")
SD15_SCALE = 0.18215
AXES = {"x": -1, "y": -2, "t": -3}
BLANK_FACTORS = {3: 1, 64: 32, 128: 16}
"""Pixels along one side of a cell of blank latents, by their channels; of all others 8."""
PARALLEL = 1 - 1e-5  # cosine from which two directions count as one


class Latents(TypedDict):
    """A batch of latents, and what belongs to it.

    `samples` are as autoencoders give them, not yet times a model's scale. `noise_mask`
    [B or 1, 1, H, W] is 1 where to denoise; `batch_index` says which pictures of the batch that
    they were first in these are, so that each keeps its noise.
    """

    samples: Tensor
    noise_mask: NotRequired[Tensor]
    batch_index: NotRequired[list[int]]
    type: NotRequired[str]
    downscale_ratio_temporal: NotRequired[int]


def read(path: Path) -> Tensor:
    """The latents of a .latent file as `tensor_files.latent_file` makes them.

    Old ones, without the mark of a version, are in the unit of Stable Diffusion 1's network.

    Raises:
        ModelFileError: it is none, or a broken one.
    """
    try:
        tensors = load(path.read_bytes())
        latents = tensors["latent_tensor"].float()
    except (SafetensorError, KeyError, OSError) as error:
        raise ModelFileError(
            f"{path.name}: holds no latents ({error}); save some with the node SaveLatent"
        ) from None
    return latents if "latent_format_version_0" in tensors else latents / SD15_SCALE


def blank_for(samples: Tensor, channels: int, factor: int) -> Tensor:
    """Blank latents of any kind of model as those of a model with `channels` and `factor`.

    Zeros hold nothing, so that one node for blank latents (EmptyLatentImage: 4 channels, a cell for
    8x8 pixels) serves every model: they get the model's channels, and as many cells as make the
    same number of pixels. Latents that hold something stay, as do those of videos and sounds, and
    those that have the model's channels already unless it is EmptyLatentImage's.

    Args:
        samples: latents of any shape.
        channels: of the model's latents.
        factor: pixels along one side of the model's cells.
    """
    kind = samples.shape[1]
    if samples.ndim != 4 or (kind == channels != 4) or samples.any():
        return samples
    side = BLANK_FACTORS.get(kind, 8)
    rows, columns = (max(1, length * side // factor) for length in samples.shape[-2:])
    return samples.new_zeros(len(samples), channels, rows, columns)


def matched(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Both with as many channels: blank latents, which hold nothing, take those of the others.

    Raises:
        ValueError: both hold something and come from two kinds of model.
    """
    if first.shape[1] == second.shape[1]:
        return first, second
    if first.any() and second.any():
        raise ValueError(
            f"latents of {first.shape[1]} and of {second.shape[1]} channels do not go together; "
            "use latents of one kind of model"
        )
    if first.any():
        return first, second.new_zeros(len(second), first.shape[1], *second.shape[2:])
    return first.new_zeros(len(first), second.shape[1], *first.shape[2:]), second


def resized(samples: Tensor, method: str, width: int, height: int, *, crop: bool) -> Tensor:
    """Latents at another size.

    Args:
        samples: [B, C, h, w].
        method: one of `SCALE_METHODS`; "bislerp" turns neighbours into each other instead of
            mixing them, which keeps their length.
        width: in latent pixels.
        height: likewise.
        crop: cut about the centre to the new proportions first.
    """
    places = samples.movedim(1, -1)
    if method != "bislerp":
        return scaled(places, method, width, height, crop=crop).movedim(-1, 1).contiguous()
    if crop:
        places = cut_to_proportions(places, width / height)
    wide = _swung(places, 2, width)
    return _swung(wide, 1, height).movedim(-1, 1).contiguous()


def _swung(places: Tensor, axis: int, length: int) -> Tensor:
    """[B, h, w, C] with another length of an axis, each new place on the arc between two old."""
    old = places.shape[axis]
    position = ((torch.arange(length) + 0.5) * old / length - 0.5).clamp(0, old - 1)
    first = position.floor().long()
    shape = [1, 1, 1, 1]
    shape[axis] = length
    way = (position - first).reshape(shape).to(places)
    second = (first + 1).clamp(max=old - 1)
    return _between(
        places.index_select(axis, first.to(places.device)),
        places.index_select(axis, second.to(places.device)),
        way,
    )


def _between(first: Tensor, second: Tensor, way: Tensor) -> Tensor:
    """Vectors along the last axis on the arc from one to the other, 0 <= way <= 1.

    Source: K. Shoemake, "Animating rotation with quaternion curves", 1985.
    """
    (here, near), (there, far) = _polar(first, -1), _polar(second, -1)
    cosine = (here * there).sum(-1, keepdim=True)
    angle = cosine.clamp(-1, 1).acos()
    sine = angle.sin().clamp(min=1e-12)
    arc = here * (((1 - way) * angle).sin() / sine) + there * ((way * angle).sin() / sine)
    arc = arc * (near * (1 - way) + far * way)
    straight = first * (1 - way) + second * way
    arc = torch.where(cosine > PARALLEL, first, arc)
    return torch.where(cosine < -PARALLEL, straight, arc)


def _polar(vectors: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Direction and length of vectors along an axis; nothing points nowhere."""
    length = vectors.square().sum(axis, keepdim=True).sqrt()
    return torch.where(length > 0, vectors / length, 0.0), length


def scaled_to_pixels(
    samples: Tensor, method: str, width: int, height: int, *, crop: bool
) -> Tensor:
    """Latents for pictures of another size in pixels; a side of 0 keeps the proportions.

    Both 0 leave them as they are; no side gets below 64 pixels.
    """
    if width == 0 and height == 0:
        return samples
    rows, columns = samples.shape[-2:]
    if width == 0:
        width = round(columns * max(64, height) / rows)
    elif height == 0:
        height = round(rows * max(64, width) / columns)
    sides = (max(64, side) // 8 for side in (width, height))
    return resized(samples, method, *sides, crop=crop)


def scaled_by(samples: Tensor, method: str, factor: float) -> Tensor:
    """Latents whose sides are `factor` times as long."""
    height, width = (max(1, round(side * factor)) for side in samples.shape[-2:])
    return resized(samples, method, width, height, crop=False)


def cropped(samples: Tensor, x: int, y: int, width: int, height: int) -> Tensor:
    """A part of latents, given in pixels, cut off at the edge but at least 64 x 64 of them."""
    y = min(y // 8, max(0, samples.shape[-2] - 8))
    x = min(x // 8, max(0, samples.shape[-1] - 8))
    return samples[..., y : y + height // 8, x : x + width // 8].clone()


def like(samples: Tensor, other: Tensor, method: str = "bilinear") -> Tensor:
    """Latents at the size of others, cut to their proportions, and as many."""
    return repeated(sized_like(samples, other, method), len(other))


def sized_like(samples: Tensor, other: Tensor, method: str = "bilinear") -> Tensor:
    """Latents at the size of others.

    Raises:
        ValueError: they come from another kind of model.
    """
    samples, other = matched(samples, other)
    if samples.shape[-2:] == other.shape[-2:]:
        return samples
    height, width = other.shape[-2:]
    return resized(samples, method, width, height, crop=True)


def interpolated(first: Tensor, second: Tensor, ratio: float) -> Tensor:
    """Latents between two, mixed in direction and in length apart; 1 is the first."""
    first, second = matched(first, second)
    (here, near), (there, far) = _polar(first, 1), _polar(like(second, first), 1)
    direction, _ = _polar(here * ratio + there * (1 - ratio), 1)
    return direction * (near * ratio + far * (1 - ratio))


def composited(destination: Tensor, source: Tensor, x: int, y: int, feather: int) -> Tensor:
    """Latents upon others at x, y, faded in over `feather` where they do not meet the edge.

    Everything is counted in latent pixels.
    """
    destination, source = matched(destination, source)
    height, width = source.shape[-2:]
    columns = ramps(width, feather if x else 0, feather if x + width < destination.shape[-1] else 0)
    rows = ramps(height, feather if y else 0, feather if y + height < destination.shape[-2] else 0)
    return pasted(destination, source, x, y, rows[:, None] * columns, resize=False)


def part(latents: Latents, start: int, length: int) -> Latents:
    """Some of a batch in a row, with the noise they have in it; cut off at its end."""
    count = len(latents["samples"])
    start = min(start, count - 1)
    stop = min(start + length, count)
    index = latents.get("batch_index", list(range(count)))
    result: Latents = {
        **latents,
        "samples": latents["samples"][start:stop].clone(),
        "batch_index": index[start:stop],
    }
    if "noise_mask" in latents:
        mask = latents["noise_mask"]
        result["noise_mask"] = mask if len(mask) == 1 else repeated(mask, count)[start:stop].clone()
    return result


def multiplied(latents: Latents, times: int) -> Latents:
    """A batch several times in a row; numbered on, so that each gets noise of its own."""
    samples = latents["samples"]
    ask_for("latents", times, *samples.shape)
    result: Latents = {**latents, "samples": torch.cat([samples] * times)}
    mask = latents.get("noise_mask")
    if mask is not None and len(mask) > 1:
        result["noise_mask"] = torch.cat([repeated(mask, len(samples))] * times)
    if "batch_index" in latents:
        index = latents["batch_index"]
        step = max(index) - min(index) + 1
        result["batch_index"] = [i + turn * step for turn in range(times) for i in index]
    return result


def joined(first: Latents, second: Latents) -> Latents:
    """Both in one batch, the second at the size of the first; each keeps the noise it has."""
    start, end = matched(first["samples"], second["samples"])
    samples = [start, sized_like(end, start)]
    index = [
        number
        for latents in (first, second)
        for number in latents.get("batch_index", list(range(len(latents["samples"]))))
    ]
    return {**first, "samples": torch.cat(samples), "batch_index": index}


def numbered(latents: Latents, *, alike: bool) -> Latents:
    """A batch whose latents all get the noise of the first, or each its own."""
    if alike:
        first = latents.get("batch_index", [0])[0]
        return {**latents, "batch_index": [first] * len(latents["samples"])}
    result: Latents = {**latents}
    result.pop("batch_index", None)
    return result


def cut(samples: Tensor, axis: str, start: int, length: int) -> Tensor:
    """A slice along one of `AXES`; a negative start counts from the end."""
    place = _axis(samples, axis)
    size = samples.shape[place]
    start = min(max(0, start + size if start < 0 else start), size - 1)
    return samples.narrow(place, start, min(length, size - start)).clone()


def sliced(samples: Tensor, axis: str, size: int) -> Tensor:
    """Slices along one of `AXES` as a batch; no such axis leaves all as it is."""
    place = samples.ndim + AXES[axis]
    if place < 2:
        return samples
    size = min(size, samples.shape[place])
    count = samples.shape[place] // size
    return torch.cat([samples.narrow(place, n * size, size) for n in range(count)])


def with_frames(samples: Tensor, others: Tensor, index: int) -> Tensor:
    """A video with frames of another from `index` on; as it is where they do not fit."""
    frames, new = samples.shape[2], others.shape[2]
    start = index + frames if index < 0 else index
    rest = [*samples.shape[:2], *samples.shape[3:]]
    if rest != [*others.shape[:2], *others.shape[3:]] or not 0 <= start <= frames - new:
        return samples
    changed = samples.clone()
    changed[:, :, start : start + new] = others
    return changed


def with_steady_start(samples: Tensor, count: int, references: int) -> Tensor:
    """A video whose first frames have the mean and spread, by channel, of those that follow."""
    start, after = samples[:, :, :count], samples[:, :, count : count + references]
    if samples.ndim != 5 or not after.shape[2]:
        return samples
    axes = (2, 3, 4)
    spread = after.std(axes, keepdim=True) / start.std(axes, keepdim=True).clamp(min=1e-6)
    steady = (start - start.mean(axes, keepdim=True)) * spread + after.mean(axes, keepdim=True)
    return torch.cat([steady, samples[:, :, count:]], dim=2)


def concatenated(first: Tensor, second: Tensor, axis: str) -> Tensor:
    """One after the other along an axis; "-x" puts the second before the first.

    Raises:
        ValueError: their other sides differ.
    """
    first, second = matched(first, second)
    place = _axis(first, axis.removeprefix("-"))
    pair = [first, repeated(second, len(first))]
    shapes = [[*samples.shape[:place], *samples.shape[place + 1 :]] for samples in pair]
    if first.ndim != second.ndim or shapes[0] != shapes[1]:
        raise ValueError(
            f"latents of shapes {tuple(first.shape)} and {tuple(second.shape)} do not fit beside "
            f"each other along {axis}; make their other sides equal"
        )
    return torch.cat(pair[::-1] if axis.startswith("-") else pair, dim=place)


def _axis(samples: Tensor, name: str) -> int:
    axis = samples.ndim + AXES[name]
    if axis < 2:
        raise ValueError(f"dim: these latents are of pictures and have no axis {name}; use x or y")
    return axis


def regrouped(batches: Iterable[Latents], size: int) -> list[Latents]:
    """The same latents in batches of `size`; another size, or mask or none, begins a new batch."""
    groups: list[list[Latents]] = []
    before = 0
    for latents in batches:
        count = len(latents["samples"])
        index = latents.get("batch_index", list(range(before, before + count)))
        before += count
        for place in range(count):
            single = part({**latents, "batch_index": index}, place, 1)
            if not groups or len(groups[-1]) == size or _shapes(groups[-1][0]) != _shapes(single):
                groups.append([])
            groups[-1].append(single)
    return [_stacked(group) for group in groups]


def _shapes(latents: Latents) -> tuple[torch.Size, torch.Size | None]:
    mask = latents.get("noise_mask")
    return latents["samples"].shape, None if mask is None else mask.shape


def _stacked(group: list[Latents]) -> Latents:
    result: Latents = {
        **group[0],
        "samples": torch.cat([latents["samples"] for latents in group]),
        "batch_index": [number for latents in group for number in latents.get("batch_index", [])],
    }
    if "noise_mask" in group[0]:
        result["noise_mask"] = torch.cat([latents["noise_mask"] for latents in group])  # pyright: ignore[reportTypedDictNotRequiredAccess] - `_shapes` says all have one
    return result
