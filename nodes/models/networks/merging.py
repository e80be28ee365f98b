"""Networks mixed with others of the same build, weight by weight."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from typing import Any, TypeAlias, TypeVar

from torch import Tensor

from nodes.models.families import original_names
from nodes.models.files.pieces import NetworkSource
from nodes.models.networks.changes import Change
from nodes.models.networks.network import Handle
from nodes.models.networks.patched_files import PatchedFile

HandleT = TypeVar("HandleT", bound=Handle[Any])

log = logging.getLogger(__name__)

Warn: TypeAlias = Callable[[str], object]
"""Warns the user with a sentence."""
Shares: TypeAlias = Callable[[str], tuple[float, float]]
"""From the name of a weight: how much of it is kept, how much of the other is added."""


@dataclass(frozen=True, eq=False)
class Merge:
    """The weights of another network, mixed in; a `Patch`.

    Attributes:
        other: with its own patches.
        shares: how much of each.
        label: of the shares, in cache keys: equal for equal shares.
    """

    other: Handle[Any]
    shares: Shares = field(repr=False)
    label: str

    @property
    def key(self) -> str:
        """The other network and the shares."""
        return f"({self.other.key})*{self.label}"

    def changes(self, source: NetworkSource) -> Iterator[tuple[str, Change]]:
        """A change for each weight that both have.

        Raises:
            ModelFileError: the other's file changed.
        """
        other = PatchedFile(self.other)
        for name in _common(source, other.source)[0]:
            if self.shares(name) != (1.0, 0.0):
                yield name, Change(partial(self._mix, other, name), str(other.source.header.path))

    def _mix(self, other: PatchedFile, name: str, weight: Tensor) -> None:
        kept, added = self.shares(name)
        weight.mul_(kept).add_(other.patched(name, weight), alpha=added)


def _common(source: NetworkSource, other: NetworkSource) -> tuple[list[str], list[str]]:
    """Weights that two networks have, and those that are of other shapes in them."""
    fitting: list[str] = []
    unlike: list[str] = []
    for name in source.names:
        if name in other.names:
            same = _count(source, name) == _count(other, name)
            (fitting if same else unlike).append(name)
    return fitting, unlike


def _count(source: NetworkSource, name: str) -> int:
    return prod(source.shape(name))


def merged(
    handle: HandleT, other: HandleT, kept: float, added: float, *, warn: Warn = log.warning
) -> HandleT:
    """A network with so much of its own weights and so much of another's.

    Args:
        handle: the network.
        other: of the same build; weights of other shapes are left out of it.
        kept: how much of its own.
        added: how much of the other's.
        warn: is called with a sentence about weights that are left out.

    Raises:
        ValueError: they have no weight in common.
    """
    return _with(handle, Merge(other, lambda name: (kept, added), f"{kept!r}+{added!r}"), warn)


def merged_by_blocks(
    handle: HandleT,
    other: HandleT,
    *,
    down: float,
    middle: float,
    up: float,
    warn: Warn = log.warning,
) -> HandleT:
    """A denoiser that keeps such shares of its blocks; the rest of each is the other's.

    Raises:
        ValueError: they have no weight in common.
    """

    def shares(name: str) -> tuple[float, float]:
        kept = middle if name.startswith("mid_block") else down
        if name.startswith(("up_blocks", "conv_norm_out", "conv_out")):
            kept = up
        return kept, 1 - kept

    return _with(handle, Merge(other, shares, f"{down!r}/{middle!r}/{up!r}"), warn)


def _with(handle: HandleT, merge: Merge, warn: Warn) -> HandleT:
    own, others = (each.source.header.path.name for each in (handle, merge.other))
    fitting, unlike = _common(handle.source, merge.other.source)
    if not fitting:
        raise ValueError(
            f"{own} and {others} have no weight in common; only models of one build can be merged"
        )
    if unlike:
        warn(
            f"{len(unlike)} weights have other shapes in {others} and stay as they are in {own} "
            f"({unlike[0]}, ...)"
        )
    return replace(handle, patches=(*handle.patches, merge))


def merged_by_names(
    handle: HandleT, other: HandleT, kept: Mapping[str, float], *, warn: Warn = log.warning
) -> HandleT:
    """A denoiser that keeps such shares of its weights; the rest of each is the other's.

    Args:
        handle: the denoiser.
        other: of the same build.
        kept: share by the beginning of a name in the original code ("input_blocks.0."); the
            longest that fits a weight counts, for weights that none fits the first of all.
        warn: is called with a sentence about weights that are left out.

    Raises:
        ValueError: they have no weight in common.
    """
    names = original_names.of(handle.source)
    usual = next(iter(kept.values()))

    def shares(name: str) -> tuple[float, float]:
        fitting = [begin for begin in kept if names.get(name, name).startswith(begin)]
        share = kept[max(fitting, key=len)] if fitting else usual
        return share, 1 - share

    label = "/".join(f"{begin}{share!r}" for begin, share in kept.items())
    return _with(handle, Merge(other, shares, label), warn)
