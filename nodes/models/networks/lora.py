"""LoRA files: small changes to the weights of a denoiser and a text encoder.

Understood are the names of kohya's scripts, PEFT, diffusers and LyCORIS (see `lora_names`), and
the kinds of change of `adapters`. Other kinds are refused by name; tensors that nobody looks at
are counted for the user.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from nodes.models.families.detection import lora_family
from nodes.models.families.family import TEXT_ENCODER
from nodes.models.files.pieces import NetworkSource
from nodes.models.files.tensor_files import Header, ModelFileError, TensorFile
from nodes.models.networks import lora_names, lora_numbers
from nodes.models.networks.adapter_rows import of_rows
from nodes.models.networks.adapters import Adapter, changes_of, endings
from nodes.models.networks.changes import Change
from nodes.models.networks.network import Handle

log = logging.getLogger(__name__)

HandleT = TypeVar("HandleT", bound=Handle[Any])


@dataclass(frozen=True, eq=False)
class Adapters:
    """What a file holds.

    Attributes:
        modules: name of a module in the form of `lora_names.flat` -> role -> name of the tensor.
        unread: tensors that belong to none of them.
        tensors: what the names stand for, where that is not in a file.
    """

    header: Header
    modules: Mapping[str, Mapping[str, str]] = field(repr=False)
    unread: tuple[str, ...] = field(default=(), repr=False)
    tensors: Mapping[str, Tensor] | None = field(default=None, repr=False)

    def targets(self, source: NetworkSource) -> Mapping[str, str]:
        """Which adapter belongs to which module of a network: adapter's name -> module's name."""
        return _targets(self, source)


@lru_cache(maxsize=64)
def _targets(adapters: Adapters, source: NetworkSource) -> Mapping[str, str]:
    found = lora_names.targets(adapters.modules, source)
    found |= lora_numbers.targets(adapters.modules, adapters.header.shapes, source)
    return {
        spelled: module
        for spelled, module in found.items()
        if any(
            f"{module}.{ending}" in source.names
            for ending in endings(frozenset(adapters.modules[spelled]))
        )
    }


@dataclass(frozen=True, eq=False)
class Lora:
    """The adapters of a file, at a strength; a `Patch`.

    Attributes:
        aside: applied by side branches, so that the weights of the base stay as they are.
    """

    adapters: Adapters
    strength: float
    aside: bool = False

    @property
    def header(self) -> Header:
        """The file."""
        return self.adapters.header

    @property
    def key(self) -> str:
        """The file's identity, the strength, and the way it is applied."""
        return f"{self.header.identity}*{self.strength!r}{'&' if self.aside else ''}"

    def changes(self, source: NetworkSource) -> Iterator[tuple[str, Change]]:
        """Each weight it touches in the network of `source`, and how.

        Raises:
            ModelFileError: the file changed, or an adapter does not fit its weight.
        """
        file = self.adapters.tensors
        if file is None and not self.header.is_current:
            raise ModelFileError(
                f"{self.header.path}: has changed since it was chosen; queue the job again"
            )
        file = TensorFile(self.header) if file is None else file
        for spelled, module in self.adapters.targets(source).items():
            roles = self.adapters.modules[spelled]
            tensors = {role: file[name].float() for role, name in roles.items()}
            origin = f"{self.header.path}: {spelled}"
            try:
                found = [*_by_module(module, tensors, lora_names.parts(spelled, source))]
                changes = [(each, changes_of(own, self.strength)) for each, own in found]
                made = [(each, *change) for each, of_one in changes for change in of_one]
            except (RuntimeError, ValueError) as error:
                raise ModelFileError(
                    f"{origin}: its tensors do not fit each other "
                    f"({str(error).splitlines()[0]}); get the file again"
                ) from None
            for each, ending, apply in made:
                weight = f"{each}.{ending}"
                if weight in source.names:
                    yield weight, Change(apply, origin, self.aside)


def _by_module(
    module: str,
    tensors: Adapter,
    parts: Sequence[tuple[str, Sequence[tuple[int, int]]]] | None,
) -> Iterator[tuple[str, Adapter]]:
    """An adapter as its module's, or its rows as those of the modules that a layer is made of."""
    if parts is None:
        yield module, tensors
    for each, rows in parts or ():
        yield each, of_rows(tensors, rows)


def read_lora(header: Header, strength: float, *, aside: bool = False) -> Lora:
    """The adapters that a file holds, at a strength.

    Raises:
        ModelFileError: it holds none, or some of a kind that is not supported.
    """
    return Lora(read_adapters(header), strength, aside)


def read_adapters(header: Header) -> Adapters:
    """The adapters that a file holds.

    Raises:
        ModelFileError: it holds none, or some of a kind that is not supported.
    """
    if (refused := lora_names.unsupported(header.shapes)) is not None:
        raise ModelFileError(
            f"{header.path}: {refused[0]} is of a {refused[1]} adapter, which is not supported; "
            "convert the file to plain LoRA"
        )
    modules: dict[str, dict[str, str]] = {}
    named: set[str] = set()
    for name in header.shapes:
        if (found := lora_names.role_of(name)) is not None:
            module, role, adapter = found
            modules.setdefault(module, {})[role] = name
            named.update(() if adapter is None else (adapter,))
            factors = name.removesuffix("on_input") + "weight"
            if role == "on_input" and factors in header.shapes:
                modules[module]["factor"] = factors  # IA3 of LyCORIS, named as any weight is
    if len(named) > 1:
        raise ModelFileError(
            f"{header.path}: holds {len(named)} adapters at once ({', '.join(sorted(named)[:5])}); "
            "save each in a file of its own"
        )
    return _complete(header, modules)


def adapters_of(tensors: Mapping[str, Tensor]) -> Adapters:
    """The adapters among some tensors, which are named as in a file.

    Raises:
        ModelFileError: there are none, or some of a kind that is not supported.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    header = Header(Path("the LoRA"), shapes, {}, digest.hexdigest())
    return replace(read_adapters(header), tensors=tensors)


def _complete(header: Header, modules: Mapping[str, Mapping[str, str]]) -> Adapters:
    """The adapters that change something; the others are unread."""
    whole = {module: roles for module, roles in modules.items() if endings(frozenset(roles))}
    if not whole:
        first = ", ".join(sorted(header.shapes)[:3])
        why = "would change nothing, as each of its adapters lacks a half" if modules else "no LoRA"
        raise ModelFileError(f"{header.path}: {why}; it holds {first}, ...")
    read = {name for roles in whole.values() for name in roles.values()}
    return Adapters(header, whole, tuple(sorted(header.shapes.keys() - read)))


def with_lora(handle: HandleT, lora: Lora) -> HandleT:
    """The same network with one more LoRA; strength 0 changes nothing."""
    if lora.strength == 0:
        return handle
    return replace(handle, patches=(*handle.patches, lora))


def check_fits(
    adapters: Adapters, *parts: NetworkSource, warn: Callable[[str], object] = log.warning
) -> None:
    """Check that a LoRA changes something in at least one of some networks.

    Args:
        adapters: what was read.
        parts: the networks; where there is no text encoder, what is for one may be left out.
        warn: is called for each kind of thing that is left out, with a sentence.

    Raises:
        ModelFileError: not one module of it is known, or none of its changes can be made.
    """
    path, count = adapters.header.path, len(adapters.modules)
    known = {spelled for source in parts for spelled in adapters.targets(source)}
    if not known:
        family = lora_family(adapters.header.shapes)
        kind = "another kind of model" if family is None else family
        raise ModelFileError(
            f"{path}: none of its {count} modules ({min(adapters.modules)}, ...) is in this "
            f"model; the LoRA is for {kind}"
        )
    unknown = adapters.modules.keys() - known
    if not any(source.title == TEXT_ENCODER for source in parts):
        unknown = {spelled for spelled in unknown if not lora_names.is_of_text(spelled)}
    if unknown:
        warn(
            f"{path.name}: {len(known)} of its {count} modules are applied; {len(unknown)} are not "
            f"in this model and are left out ({min(unknown)}, ...)"
        )
    if adapters.unread:
        warn(
            f"{path.name}: {len(adapters.unread)} of its {len(adapters.header.shapes)} tensors "
            f"mean nothing here and are left out ({adapters.unread[0]}, ...)"
        )
