"""Weights that patches change in place, and change back to the last bit.

A weight that cannot be changed in place, because it is stored in few bits, keeps its value: what
patches add to it is computed beside it and added to the answer of its layer (a side branch).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from nodes.models.files.pieces import NetworkSource
from nodes.models.memory import available
from nodes.models.networks.changes import Change, Patch
from nodes.models.networks.side_branches import SideBranch

KEPT_SHARE = 0.25
"""Of the memory that is available, what copies of original weights may take."""
MERGED = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
"""Formats of weights that patches are merged into; others get side branches."""


class PatchedWeights:
    """The weights of a loaded network, which patches change and leave again.

    Copies of the original weights that were changed are kept in main memory, up to a share of what
    is available, so that another choice of patches reads nothing from disk; what is beyond that
    is read from the file again.

    Args:
        source: the network.
        module: has the weights.
        original: the weight of a name as the file has it, in the right order, of any shape.
        stored: format that weights are rounded to before the network gets them (None: none).
        share: of the memory that is available, what copies of original weights may take.
    """

    def __init__(
        self,
        source: NetworkSource,
        module: nn.Module,
        original: Callable[[str], Tensor],
        stored: torch.dtype | None = None,
        *,
        share: float = KEPT_SHARE,
    ) -> None:
        self._share = share
        self._source = source
        self._module = module
        self._names = {name for name, _ in module.named_parameters()}
        self._names |= {name for name, _ in module.named_buffers()}
        self._original = original
        self._stored = stored
        self._keys: tuple[str, ...] = ()
        self._changed: set[str] = set()
        self._merged: dict[str, tuple[str, ...] | None] = {}
        self._sources: dict[int, str] = {}
        self._kept: dict[str, Tensor] = {}
        self._branches: list[RemovableHandle] = []

    @property
    def has_branches(self) -> bool:
        """Whether patches are computed beside weights."""
        return bool(self._branches)

    @torch.no_grad()
    def apply(self, patches: Sequence[Patch]) -> None:
        """Make the weights those of the file with exactly `patches` applied, in their order.

        Weights that lose their patches get back every bit. Does nothing when already so.

        Raises:
            ModelFileError: a patch does not fit; the network is then as without patches.
        """
        wanted = tuple(patch.key for patch in patches)
        if wanted == self._keys:
            return
        changes: dict[str, list[Change]] = {}
        self._sources.clear()
        for patch in patches:
            for name, change in patch.changes(self._source):
                if name in self._names:
                    changes.setdefault(name, []).append(change)
                    self._sources[id(change)] = patch.key
        touched = sorted(self._changed | changes.keys())
        try:
            self._rewrite(touched, changes)
        except BaseException:
            self._rewrite(touched, {})
            self._changed, self._keys = set(), ()
            raise
        self._changed, self._keys = set(changes), wanted

    def _rewrite(self, names: Sequence[str], changes: Mapping[str, Sequence[Change]]) -> None:
        """Make these weights as in the file, then changed; side branches are laid anew.

        Weights with the same changes merged as before are left alone.
        """
        for branch in self._branches:
            branch.remove()
        self._branches.clear()
        kept = sum(weight.nbytes for weight in self._kept.values())
        room = self._share * (available() + kept) - kept
        for name in names:
            place, _, ending = name.rpartition(".")
            layer = self._module.get_submodule(place)
            weight: Tensor = getattr(layer, ending)
            merged, aside = _divided(changes.get(name, ()), layer, weight)
            keys = tuple(self._sources[id(change)] for change in merged)
            if weight.dtype in MERGED and self._merged.get(name, ()) != keys:
                self._merged[name] = None
                original, more = self._kept_original(name, bool(merged), room)
                room -= more
                self._merge(weight, original.view(weight.shape), merged)
                self._merged[name] = keys
            if aside:
                self._branches.append(layer.register_forward_hook(SideBranch(layer, aside)))

    def _kept_original(self, name: str, keep: bool, room: float) -> tuple[Tensor, int]:
        """A weight as in the file, and how many bytes of it are kept in memory from now on."""
        if (original := self._kept.get(name)) is not None:
            return original, 0
        original = self._original(name)
        if self._stored is not None:
            original = original.to(self._stored)
        if not keep or original.nbytes > room:
            return original, 0
        # A copy, as the pages of a mapped file may have to come from the disk once more.
        self._kept[name] = original = original.to("cpu", copy=True)
        return original, original.nbytes

    def _merge(self, weight: Tensor, original: Tensor, changes: Sequence[Change]) -> None:
        """Set a weight to its original, changed in float32."""
        if not changes or weight.dtype is torch.float32:
            work = weight.copy_(original)
        else:
            work = original.to(weight.device, torch.float32, copy=True)
        for change in changes:
            change(work)
        if changes and self._stored is not None:
            work = work.to(self._stored)
        if work is not weight:
            weight.copy_(work)


def _divided(
    changes: Sequence[Change], layer: nn.Module, weight: Tensor
) -> tuple[list[Change], list[Change]]:
    """Which changes are merged into a weight, and which are done by a side branch."""
    if weight.dtype not in MERGED:
        return [], [*changes]
    possible = isinstance(layer, nn.Linear | nn.Conv2d) and weight.dim() > 1
    merged = [change for change in changes if not (change.aside and possible)]
    return merged, [change for change in changes if change.aside and possible]
