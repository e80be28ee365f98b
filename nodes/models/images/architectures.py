"""Networks for pictures of many architectures, which spandrel knows by their weights.

https://github.com/chaiNNer-org/spandrel (MIT): SwinIR, DAT, HAT, SPAN, PLKSR, Compact and others.
It is an extra: it requires torchvision, which must be of the same build as torch, for two functions
of two of its architectures. So that neither a missing nor a wrong torchvision matters, it finds
stand-ins for these two while it is imported.
"""

from __future__ import annotations

import importlib
import sys
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Self

import torch
from torch import Tensor

from nodes.models.files.tensor_files import Header, ModelFileError, TensorFile

INSTALL = "others need the extra: pip install 'soundstage[upscalers]'"
FUNCTIONAL = "torchvision.transforms.functional"


def known() -> int:
    """How many architectures are known; 0 where spandrel is not installed."""
    return 0 if (registry := _registry()) is None else len(registry)


def find_restorer(header: Header) -> Any | None:
    """The architecture of the network in a file, by the names and shapes of its weights alone."""
    registry = _registry()
    if registry is None:
        return None
    named = {name: torch.empty(shape, device="meta") for name, shape in header.shapes.items()}
    weights = _canonical(named)
    for support in registry.architectures("detection"):
        if support.detect(weights):
            return support.architecture
    return None


@dataclass(eq=False)
class _Binding:
    """The network that a handle is bound to: a weak reference, or its own after `ready`."""

    network: Callable[[], Any] = field(default=lambda: None)
    owned: Any = None


@dataclass(frozen=True, eq=False)
class Restorer:
    """A handle on a network that takes a picture and gives one, of any known architecture.

    Attributes:
        header: of its file.
        architecture: as `find_restorer` found it.
    """

    header: Header
    architecture: Any = field(repr=False)
    _binding: _Binding = field(default_factory=_Binding, init=False, repr=False)

    @property
    def key(self) -> str:
        """What it computes."""
        return f"{self.header.identity}#{self.architecture.id}"

    @property
    def base(self) -> str:
        """Whose weights it needs."""
        return self.key

    def nbytes(self, device: str) -> int:
        """Bytes of the loaded weights, at most: whether halves will do shows when they are read."""
        return 4 * sum(self.header.sizes.values())

    def load(self, device: str) -> Any:
        """Read the weights to `device`, in half precision where both allow it.

        Raises:
            ModelFileError: it cannot be built of these weights, or takes more than a picture.
        """
        if not self.header.is_current:
            raise ModelFileError(
                f"{self.header.path}: has changed since it was chosen; queue the job again"
            )
        file, name = TensorFile(self.header), self.architecture.name
        try:
            found = self.architecture.load(_canonical({n: file[n] for n in self.header.shapes}))
        except Exception as error:  # spandrel raises what its networks do
            raise ModelFileError(
                f"{self.header.path}: looks like {name}, but its weights do not fit that network; "
                "take a complete file"
            ) from error
        if found.purpose == "Inpainting" or found.output_channels not in (1, 3):
            raise ModelFileError(
                f"{self.header.path}: {name} is for {found.purpose.lower()}, not for whole "
                "pictures; choose an upscaler"
            )
        dtype = torch.float32
        if torch.device(device).type != "cpu" and found.supports_half:
            dtype = torch.float16
        found.model.requires_grad_(False)
        return found.to(device, dtype).eval()

    def bind(self, loaded: Any) -> None:
        """Use `loaded` from now on."""
        self._binding.network = weakref.ref(loaded)

    def ready(self, device: str = "cpu") -> Self:
        """Load and bind in one, and keep the weights as long as this handle: for notebooks."""
        self._binding.owned = self.load(device)
        self.bind(self._binding.owned)
        return self

    @property
    def network(self) -> Any:
        """The bound network.

        Raises:
            RuntimeError: nothing is bound, or its owner has dropped it.
        """
        if (network := self._binding.network()) is None:
            raise RuntimeError(f"the upscaler of {self.header.path} is not loaded")
        return network

    @property
    def factor(self) -> int:
        """How many times as long a side becomes."""
        return int(self.network.scale)

    @property
    def device(self) -> str:
        """Where its weights are."""
        return str(self.network.device)

    @property
    def tileable(self) -> bool:
        """Whether a part of a picture comes out as in the whole picture."""
        return self.network.tiling.name != "INTERNAL" and not self.network.size_requirements.square

    def run(self, planes: Tensor) -> Tensor:
        """What it makes of planes [1, 3, H, W] in 0..1; grey networks get one colour at a time."""
        network = self.network
        given: Tensor = planes.to(network.device, network.dtype)
        inner: int = network.input_channels
        if inner == 4:
            given = torch.cat([given, torch.ones_like(given[:, :1])], dim=1)
        parts = [given[:, n : n + 1] for n in range(3)] if inner == 1 else [given]
        made = torch.cat([network(part) for part in parts], dim=1)[:, :3]
        return made.float().cpu().expand(-1, 3, -1, -1)


@cache
def _registry() -> Any | None:
    if find_spec("spandrel") is None:
        return None
    with _standing_in():
        return importlib.import_module("spandrel").MAIN_REGISTRY


def _canonical(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return importlib.import_module("spandrel").canonicalize_state_dict(weights)


@contextmanager
def _standing_in() -> Generator[None]:
    """Modules in the place of torchvision, as far as spandrel imports it."""
    parts = FUNCTIONAL.split(".")
    made: dict[str, ModuleType] = {}
    for name in (".".join(parts[: n + 1]) for n in range(len(parts))):
        if name not in sys.modules:
            made[name] = ModuleType(name)
            made[name].__spec__ = ModuleSpec(name, None)
    if FUNCTIONAL in made:
        vars(made[FUNCTIONAL]).update(normalize=_normalize, rotate=None, InterpolationMode=None)
    sys.modules.update(made)
    try:
        yield
    finally:
        for name in made:
            sys.modules.pop(name, None)


def _normalize(planes: Tensor, mean: list[float], std: list[float]) -> Tensor:
    """Planes [..., C, H, W] less the mean, by the standard deviation of each channel."""
    at = [planes.new_tensor(numbers)[:, None, None] for numbers in (mean, std)]
    return (planes - at[0]) / at[1]
