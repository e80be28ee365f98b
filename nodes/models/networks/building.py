"""Networks built without storage for their weights, which a file fills."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from nodes.models.files.pieces import NetworkSource
from nodes.models.files.quantized import QuantizedTensor
from nodes.models.files.tensor_files import ModelFileError
from nodes.models.networks.quantized_layers import can_quantize, quantize_layer

ModuleT = TypeVar("ModuleT", bound=nn.Module)


class _EmptyOnMeta(TorchFunctionMode):
    """Makes ``torch.empty``, of which layers make their weights, give tensors without storage.

    All else is computed, so that buffers and constants of a network, which no file holds, have
    their values.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if func is torch.empty:
            given["device"] = "meta"
        return func(*args, **given)


def built(build: Callable[[], ModuleT]) -> ModuleT:
    """The module that `build` makes, its weights without storage."""
    with _EmptyOnMeta():
        return build()


def network_class(name: str) -> Any:
    """The class "module:Class", imported now."""
    module, _, kind = name.partition(":")
    return getattr(importlib.import_module(module), kind)


def filled(
    module: ModuleT,
    source: NetworkSource,
    file: Mapping[str, Tensor],
    device: str,
    dtype: torch.dtype,
    stored: torch.dtype | None = None,
    quantized: Callable[[str], QuantizedTensor | None] = lambda name: None,
) -> ModuleT:
    """The module with the weights and buffers of a file on a device, ready to be called.

    Args:
        module: made by `built`.
        source: where its weights lie.
        file: the tensors; one weight after another is read.
        device: where they go.
        dtype: format of the weights there; buffers that no file holds keep theirs.
        stored: format that weights are rounded to before (None: as in the file).
        quantized: gives a weight that stays quantized, None where it does not; called for layers
            that can have such weights.

    Raises:
        ModelFileError: a weight is missing, or of another shape.
    """
    wanted = module.state_dict()
    parameters = {name for name, _ in module.named_parameters()}
    _complete(source, parameters | {name for name, held in wanted.items() if held.is_meta})
    weights: dict[str, Tensor] = {}
    for name in wanted.keys() & source.pieces.keys():
        shape = wanted[name].shape
        place, _, ending = name.rpartition(".")
        layer = module.get_submodule(place)
        small = quantized(name) if ending == "weight" and can_quantize(layer) else None
        if small is not None:
            _check(source, name, small.shape, shape)
            quantize_layer(layer, replace(small.on(device), shape=tuple(shape)))
            continue
        weight = source.weight(file, name)
        _check(source, name, weight.shape, shape)
        if stored is not None:
            weight = weight.to(stored)
        # Always a copy: the file's own memory stays as it is, for unpatching.
        format = dtype if wanted[name].is_floating_point() else wanted[name].dtype
        weights[name] = weight.to(device, format, copy=True).reshape(shape)
    module.load_state_dict(weights, strict=False, assign=True)
    for holder, name, tensor in _constants(module):
        if tensor.is_meta:
            raise ModelFileError(
                f"the {source.title} leaves its {name} empty; this is a fault of us"
            )
        if tensor.device != torch.device(device):
            setattr(holder, name, tensor.to(device))
    return module.eval().requires_grad_(False)


def channels_last(module: nn.Module) -> None:
    """Have the weights of convolutions lie as kernels for halves read them fastest."""
    for layer in module.modules():
        if type(layer) is nn.Conv2d:
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)


def _check(source: NetworkSource, name: str, found: Sequence[int], wanted: Sequence[int]) -> None:
    """Check that a weight has as many numbers as the network needs."""
    if prod(found) != prod(wanted):
        raise ModelFileError(
            f"{source.header.path}: {source.names[name]} has shape {tuple(found)}, the "
            f"{source.title} needs {tuple(wanted)} for {name}"
        )


def _complete(source: NetworkSource, wanted: set[str]) -> None:
    """Check that the file holds all weights of a network."""
    missing = wanted - source.pieces.keys()
    if missing and not source.pieces:
        raise ModelFileError(
            f"{source.header.path}: holds no {source.title}; take one from another file"
        )
    if missing:
        raise ModelFileError(
            f"{source.header.path}: the {source.title} lacks {len(missing)} weights "
            f"({min(missing)}, ...); take a complete file"
        )


def _constants(module: nn.Module) -> Iterator[tuple[nn.Module, str, Tensor]]:
    """Buffers of a network, and tensors that it merely has: who holds each, and its name."""
    for holder in module.modules():
        own = {**dict(holder.named_buffers(recurse=False)), **vars(holder)}
        for name, value in own.items():
            if isinstance(value, Tensor):
                yield holder, name, value
