"""Networks in memory: built empty, filled from a mapped file, patched and unpatched in place.

A `Handle` says what is wanted (a file and patches) and costs nothing; a `Network` is the loaded
weights, shared by all handles of one base. Whoever loads a network owns it: handles refer to it
weakly, so dropping it frees the memory.
"""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, Self, TypeAlias, TypeVar

import torch
from torch import Tensor, nn

from nodes.models.files.checkpoints import Part
from nodes.models.files.tensor_files import ModelFileError, TensorFile

ModuleT = TypeVar("ModuleT", bound=nn.Module)

Change: TypeAlias = Callable[[Tensor], object]
"""Changes a float32 weight in place."""


class Patch(Protocol):
    """Something that changes weights, a LoRA say."""

    @property
    def key(self) -> str:
        """Tells this patch, its strength included, from all others."""
        ...

    def changes(self, part: Part) -> Iterable[tuple[str, Change]]:
        """What it does to the network of `part`: pairs of a weight's name and a change of it."""
        ...


class Network(Generic[ModuleT]):
    """A loaded network and the patches that it wears.

    Args:
        part: where its weights come from.
        module: the torch module, its weights still without storage.
        device: where the weights go.
        dtype: format the network computes in.
        stored: format the weights are rounded to before, patched ones too (None: as in the file).
    """

    def __init__(
        self,
        part: Part,
        module: ModuleT,
        device: str,
        dtype: torch.dtype,
        stored: torch.dtype | None = None,
    ) -> None:
        if not part.header.is_current:
            raise ModelFileError(
                f"{part.header.path}: has changed since it was chosen; queue the job again"
            )
        self.part = part
        self.device = device
        self.dtype = dtype
        self._stored = stored
        self._file = TensorFile(part.header)
        self._worn: tuple[str, ...] = ()
        self._patched: set[str] = set()
        self.module = self._filled(module)

    def _filled(self, module: ModuleT) -> ModuleT:
        shapes = {name: weight.shape for name, weight in module.named_parameters()}
        if missing := shapes.keys() - self.part.names.keys():
            raise ModelFileError(
                f"{self.part.header.path}: the {self.part.title} lacks {len(missing)} weights "
                f"({min(missing)}, ...); take a complete file"
            )
        weights: dict[str, Tensor] = {}
        for name, shape in shapes.items():
            weight = self._file[self.part.names[name]]
            if weight.numel() != shape.numel():
                raise ModelFileError(
                    f"{self.part.header.path}: {self.part.names[name]} has shape "
                    f"{tuple(weight.shape)}, the {self.part.title} needs {tuple(shape)}"
                )
            # Always a copy: the file's own memory stays as it is, for unpatching.
            weights[name] = self._rounded(weight).to(self.device, self.dtype, copy=True).view(shape)
        module.load_state_dict(weights, strict=False, assign=True)
        for name, buffer in module.named_buffers():
            if buffer.is_meta:
                raise ModelFileError(f"the {self.part.title} leaves its buffer {name} empty")
        return module.eval().requires_grad_(False)

    def _rounded(self, weight: Tensor) -> Tensor:
        return weight if self._stored is None else weight.to(self._stored)

    @torch.no_grad()
    def wear(self, patches: Sequence[Patch]) -> None:
        """Make the weights those of the file with exactly `patches` applied, in their order.

        Weights that lose their patches get back every bit. Does nothing when already so.

        Raises:
            ModelFileError: a patch does not fit; the network is then as without patches.
        """
        wanted = tuple(patch.key for patch in patches)
        if wanted == self._worn:
            return
        changes: dict[str, list[Change]] = {}
        for patch in patches:
            for name, change in patch.changes(self.part):
                changes.setdefault(name, []).append(change)
        parameters = dict(self.module.named_parameters())
        touched = self._patched | changes.keys()
        try:
            for name in sorted(touched):
                self._rewrite(name, parameters[name], changes.get(name, []))
        except BaseException:
            for name in touched:
                self._rewrite(name, parameters[name], [])
            self._patched, self._worn = set(), ()
            raise
        self._patched, self._worn = set(changes), wanted

    def _rewrite(self, name: str, parameter: Tensor, changes: Sequence[Change]) -> None:
        """The weight as in the file, changed in float32, back in its place."""
        original = self._rounded(self._file[self.part.names[name]]).view(parameter.shape)
        if self._stored is None and parameter.dtype is torch.float32:
            work = parameter.copy_(original)
        else:
            work = original.to(parameter.device, torch.float32, copy=True)
        for change in changes:
            change(work)
        if work is not parameter:
            parameter.copy_(self._rounded(work))


@dataclass
class _Seat(Generic[ModuleT]):
    """Where a handle notes the network it was bound to."""

    network: Callable[[], Network[ModuleT] | None] = field(default=lambda: None)
    kept: Network[ModuleT] | None = None


@dataclass(frozen=True, eq=False)
class Handle(ABC, Generic[ModuleT]):
    """A network that can be loaded, with patches; made without reading weights.

    Attributes:
        part: the weights of the base.
        patches: what changes them, in order.
    """

    part: Part
    patches: tuple[Patch, ...] = field(default=(), kw_only=True)
    _seat: _Seat[ModuleT] = field(default_factory=_Seat[ModuleT], init=False, repr=False)

    @property
    def base(self) -> str:
        """Whose weights it needs; the same for every patched variant."""
        return self.part.identity

    @property
    def key(self) -> str:
        """What it computes: the base and every patch."""
        return "|".join((self.base, *(patch.key for patch in self.patches)))

    @property
    def nbytes(self) -> int:
        """Bytes of the loaded weights in float32; on a GPU it is half of that."""
        return 4 * self.part.parameters

    @abstractmethod
    def load(self, device: str) -> Network[ModuleT]:
        """Read the base's weights to `device`; the caller owns the result.

        Raises:
            ModelFileError: broken, changed or incomplete file.
        """

    def bind(self, loaded: Network[ModuleT]) -> None:
        """Use `loaded` from now on, and make it wear this handle's patches."""
        loaded.wear(self.patches)
        self._seat.network = weakref.ref(loaded)

    def ready(self, device: str = "cpu") -> Self:
        """Load and bind in one, and keep the weights as long as this handle: for notebooks."""
        self._seat.kept = self.load(device)
        self.bind(self._seat.kept)
        return self

    @property
    def network(self) -> Network[ModuleT]:
        """The bound network, wearing this handle's patches even if another handle used it since.

        Raises:
            RuntimeError: nothing is bound, or its owner has dropped it.
        """
        network = self._seat.network()
        if network is None:
            raise RuntimeError(f"{self.part.title} of {self.part.header.path} is not loaded")
        network.wear(self.patches)
        return network
