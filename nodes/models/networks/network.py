"""Networks in memory: built empty, filled from a mapped file, patched and unpatched in place.

A `Handle` names a file and patches and costs nothing; a `Network` is the loaded
weights, shared by all handles of one base. Whoever loads a network owns it: handles refer to it
weakly, so dropping it frees the memory.
"""

from __future__ import annotations

import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, Self, TypeVar

import torch
from torch import nn

from nodes.models.files.pieces import NetworkSource
from nodes.models.files.quantization import can_stay_quantized
from nodes.models.files.quantized import QuantizedTensor, rounded
from nodes.models.files.tensor_files import ModelFileError, TensorFile
from nodes.models.networks.batching import Batches
from nodes.models.networks.building import filled
from nodes.models.networks.changes import Patch
from nodes.models.networks.patching import PatchedWeights
from nodes.models.networks.precision import compute_dtype

ModuleT = TypeVar("ModuleT", bound=nn.Module)


class Network(Generic[ModuleT]):
    """A loaded network, whose weights patches may change.

    Args:
        source: where its weights come from.
        module: the torch module, its weights still without storage.
        device: where the weights go.
        dtype: format the network computes in.
        stored: format the weights are rounded to before, patched ones too (None: as in the file).
        keeps_quantized: whether quantized weights stay so, and are dequantized on each use.
        matrices: format of eight bits that matrices and convolutions are rounded to and kept in
            besides (None: they are not).
    """

    def __init__(
        self,
        source: NetworkSource,
        module: ModuleT,
        device: str,
        dtype: torch.dtype,
        stored: torch.dtype | None = None,
        *,
        keeps_quantized: bool = False,
        matrices: torch.dtype | None = None,
    ) -> None:
        if not source.header.is_current:
            raise ModelFileError(
                f"{source.header.path}: has changed since it was chosen; queue the job again"
            )
        self.source = source
        self.device = device
        self.dtype = dtype
        self.batches = Batches(device)
        self.compiled: Callable[..., Any] | None = None
        self.lock = threading.RLock()
        file = TensorFile(source.header)

        def quantized(name: str) -> QuantizedTensor | None:
            kept = source.quantized(file, name) if keeps_quantized else None
            if (
                kept is None
                and matrices is not None
                and can_stay_quantized(name, source.shape(name))
            ):
                return rounded(source.weight(file, name), matrices)
            return kept

        self.module = filled(module, source, file, device, dtype, stored, quantized)
        self._weights = PatchedWeights(
            source, self.module, lambda name: source.weight(file, name), stored
        )

    @property
    def call(self) -> Callable[..., Any]:
        """The module, or what is compiled of it: that knows no side branches."""
        if self.compiled is None or self._weights.has_branches:
            return self.module
        return self.compiled

    def apply_patches(self, patches: Sequence[Patch]) -> None:
        """Make the weights those of the file with exactly `patches` applied, in their order.

        Raises:
            ModelFileError: a patch does not fit; the network is then as without patches.
        """
        with self.lock:
            self._weights.apply(patches)


@dataclass
class _Binding(Generic[ModuleT]):
    """The network that a handle is bound to: a weak reference, or its own after `ready`."""

    network: Callable[[], Network[ModuleT] | None] = field(default=lambda: None)
    owned: Network[ModuleT] | None = None


@dataclass(frozen=True, eq=False)
class Handle(ABC, Generic[ModuleT]):
    """A network that can be loaded, with patches; made without reading weights.

    Attributes:
        source: the weights of the base.
        patches: what changes them, in order.
    """

    source: NetworkSource
    patches: tuple[Patch, ...] = field(default=(), kw_only=True)
    _binding: _Binding[ModuleT] = field(default_factory=_Binding[ModuleT], init=False, repr=False)
    keeps_quantized: ClassVar[bool] = False
    """Whether weights that the file has in few bits stay so in memory."""

    @property
    def base(self) -> str:
        """Whose weights it needs; the same for every patched variant."""
        return self.source.identity

    @property
    def key(self) -> str:
        """What it computes: the base and every patch."""
        return "|".join((self.base, *(patch.key for patch in self.patches)))

    @property
    def matrices(self) -> torch.dtype | None:
        """Eight bits that matrices and convolutions are rounded to; None: they are not."""
        return None

    def dtype_on(self, device: str) -> torch.dtype:
        """The number format that the network computes in on a device."""
        return compute_dtype(device)

    def nbytes(self, device: str) -> int:
        """Bytes that the loaded weights take on a device, each in the format it has there."""
        item, small = self.dtype_on(device).itemsize, self.matrices
        matrix = None if small is None else small.itemsize
        return sum(
            self.source.nbytes(name, item, quantized=self.keeps_quantized, matrix=matrix)
            for name in self.source.pieces
        )

    @abstractmethod
    def load(self, device: str) -> Network[ModuleT]:
        """Read the base's weights to `device`; the caller owns the result.

        Raises:
            ModelFileError: broken, changed or incomplete file.
        """

    def bind(self, loaded: Network[ModuleT]) -> None:
        """Use `loaded` from now on, with this handle's patches applied."""
        loaded.apply_patches(self.patches)
        self._binding.network = weakref.ref(loaded)

    def patched(self, *more: Patch, **changed: Any) -> Self:
        """The same loaded network with further patches, and other attributes.

        Whichever of the handles on a network is used has its weights as it wants them.
        """
        made = replace(self, patches=(*self.patches, *more), **changed)
        made._binding.network = self._binding.network
        return made

    def ready(self, device: str = "cpu") -> Self:
        """Load and bind in one, and keep the weights as long as this handle: for notebooks."""
        self._binding.owned = self.load(device)
        self.bind(self._binding.owned)
        return self

    @contextmanager
    def exclusive(self) -> Generator[Network[ModuleT]]:
        """The network with this handle's patches, while no other thread uses or changes it.

        Two lanes may hold leases of one network by equal handles, and a hook of a conditioning
        changes its weights in between.
        """
        network = self.network
        with network.lock:
            network.apply_patches(self.patches)
            yield network

    @property
    def network(self) -> Network[ModuleT]:
        """The bound network with this handle's patches, even if another handle used it since.

        Raises:
            RuntimeError: nothing is bound, or its owner has dropped it.
        """
        network = self._binding.network()
        if network is None:
            raise RuntimeError(f"{self.source.title} of {self.source.header.path} is not loaded")
        network.apply_patches(self.patches)
        return network
