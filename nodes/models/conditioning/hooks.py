"""Changes of weights that count for single conditionings, and in parts of the sampling: hooks.

A conditioning brings its hooks along; while it is answered, the network has their changes besides
those of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar

from nodes.models.conditioning.areas import TEXT_SPAN
from nodes.models.conditioning.conditionings import Conditioning
from nodes.models.files.pieces import NetworkSource
from nodes.models.networks.changes import Patch
from nodes.models.sampling.sigma_space import SigmaSpace

if TYPE_CHECKING:
    from nodes.models.text.prompt_encoder import PromptEncoder

EncoderT = TypeVar("EncoderT", bound="PromptEncoder")

log = logging.getLogger(__name__)

OPTION = "hooks"
"""Name of the option of a conditioning: its `Hooks`."""


class Keyframe(NamedTuple):
    """How much hooks count from a part of the sampling on, 0..1."""

    strength: float
    start: float


EASINGS: dict[str, Callable[[float], float]] = {
    "linear": lambda way: way,
    "ease_in": lambda way: way**2,
    "ease_out": lambda way: 1 - (1 - way) ** 2,
    "ease_in_out": lambda way: way**2 * (3 - 2 * way),
}


class Source(Protocol):
    """What a hook changes weights by."""

    def patch(self, source: NetworkSource, strength: float) -> Patch | None:
        """The change of a network; None: it has none for this one.

        Raises:
            ModelFileError: it is for another kind of model.
        """
        ...


@dataclass(frozen=True, eq=False)
class Hook:
    """A change of weights that a conditioning brings.

    Attributes:
        source: of the change.
        model: its strength for the denoiser.
        text: its strength for the text encoder.
        keyframes: of the sampling, by their starts; the first of all counts before it too, and
            without any it counts fully.
    """

    source: Source
    model: float
    text: float
    keyframes: tuple[Keyframe, ...] = ()

    def share(self, reached: Callable[[float], bool]) -> float:
        """How much it counts, by the last keyframe whose start is reached."""
        if not self.keyframes:
            return 1.0
        passed = [frame for frame in self.keyframes if reached(frame.start)]
        return passed[-1].strength if passed else self.keyframes[0].strength


Hooks: TypeAlias = tuple[Hook, ...]


def with_keyframes(hooks: Hooks, keyframes: Sequence[Keyframe]) -> Hooks:
    """Hooks that count by some keyframes."""
    found = tuple(sorted(keyframes, key=lambda frame: frame.start))
    return tuple(replace(hook, keyframes=found) for hook in hooks)


def evenly(strengths: Sequence[float], start: float, end: float) -> list[Keyframe]:
    """A keyframe for each strength, at even distances over a part of the sampling."""
    last = max(1, len(strengths) - 1)
    return [
        Keyframe(strength, start + (end - start) * n / last) for n, strength in enumerate(strengths)
    ]


def denoiser_patches(
    hooks: Iterable[Hook], network: NetworkSource, space: SigmaSpace, sigma: float
) -> tuple[Patch, ...]:
    """What hooks change in a denoiser at a level of noise."""

    def reached(start: float) -> bool:
        return sigma <= space.percent_to_sigma(start)

    strengths = [(hook.source, hook.model * hook.share(reached)) for hook in hooks]
    return _patches(strengths, network)


def _patches(
    strengths: Iterable[tuple[Source, float]], network: NetworkSource
) -> tuple[Patch, ...]:
    found = [source.patch(network, strength) for source, strength in strengths if strength != 0]
    return tuple(patch for patch in found if patch is not None)


@dataclass(frozen=True, eq=False)
class TextHooks:
    """Hooks of a text encoder.

    Attributes:
        hooks: what changes it.
        for_model: whether what is encoded brings them to the denoiser.
        scheduled: whether a text is encoded for each part of the sampling by the keyframes there,
            else once, as at the beginning.
    """

    hooks: Hooks
    for_model: bool
    scheduled: bool

    def encoded(self, clip: EncoderT, encode: Callable[[EncoderT], Conditioning]) -> Conditioning:
        """What `encode` makes with text encoders that are changed so."""
        found: Conditioning = []
        for start, end in self._spans():

            def reached(at: float, start: float = start) -> bool:
                return at <= start

            strengths = [(hook.source, hook.text * hook.share(reached)) for hook in self.hooks]
            marks: dict[str, Any] = dict(zip(TEXT_SPAN, (start, end), strict=True))
            if not self.scheduled:
                marks.clear()
            if self.for_model:
                marks[OPTION] = self.hooks
            changed = clip.changed(partial(_patches, strengths))
            for text, options in encode(changed):
                found.append((text, {**options, **marks}))
        return found

    def _spans(self) -> list[tuple[float, float]]:
        """Parts of the sampling in each of which no hook changes."""
        if not self.scheduled:
            return [(0.0, 1.0)]
        starts = {frame.start for hook in self.hooks for frame in hook.keyframes[1:]}
        return list(pairwise(sorted({0.0, 1.0} | {start for start in starts if 0 < start < 1})))
