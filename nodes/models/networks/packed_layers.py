"""Layers whose weights stay in few bits, and are unpacked for each call.

The weight that LoRAs see is `dequantized`; they act on such layers by side branches.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from nodes.models.files.packed import Packed, Scaled

FP8_CAPABILITY, FP8_STEP = (8, 9), 16
"""From which of NVIDIA's generations on fp8 is multiplied, and what sides must be multiples of."""


class PackedLinear(nn.Linear):
    """A linear layer with a packed weight; `weight` is the stored numbers.

    Attributes:
        multiplies: whether a device that can multiplies in the format of the weight itself.
    """

    packed: Packed
    multiplies: bool = False

    def dequantized(self) -> Tensor:
        """The weight in float32."""
        return self.packed.unpacked(torch.float32)

    def forward(self, input: Tensor) -> Tensor:
        """As a linear layer of the same weight."""
        if self.multiplies and can_multiply(input, self.packed):
            return product(input, cast(Scaled, self.packed), self.bias)
        return functional.linear(input, self.packed.unpacked(input.dtype), self.bias)


class PackedConv2d(nn.Conv2d):
    """A convolution with a packed weight; `weight` is the stored numbers."""

    packed: Packed

    def dequantized(self) -> Tensor:
        """The weight in float32."""
        return self.packed.unpacked(torch.float32)

    def forward(self, input: Tensor) -> Tensor:
        """As a convolution of the same weight."""
        return self._conv_forward(input, self.packed.unpacked(input.dtype), self.bias)


KINDS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Linear: PackedLinear,
    nn.Conv2d: PackedConv2d,
}
"""What layers become whose weights are packed; others get their weights unpacked."""


def pack(layer: nn.Module, packed: Packed) -> None:
    """Make a layer one with a packed weight, in place: it keeps its settings and its bias."""
    kind: Any = KINDS[type(layer)]
    layer.__class__ = kind
    del layer.weight
    layer.register_buffer("weight", packed.data, persistent=False)
    cast(PackedLinear, layer).packed = packed


def multiply_packed(module: nn.Module) -> None:
    """Have the linear layers of a network multiply in fp8 where the device can."""
    for layer in module.modules():
        if isinstance(layer, PackedLinear):
            layer.multiplies = True


def can_multiply(input: Tensor, weight: Packed) -> bool:
    """Whether a device multiplies in fp8, weights of this kind and size too."""
    if not input.is_cuda or torch.cuda.get_device_capability(input.device) < FP8_CAPABILITY:
        return False
    if not isinstance(weight, Scaled) or weight.data.dtype is not torch.float8_e4m3fn:
        return False
    one_scale = weight.scale is None or weight.scale.numel() == 1
    return one_scale and not any(side % FP8_STEP for side in weight.shape)


def product(input: Tensor, weight: Scaled, bias: Tensor | None) -> Tensor:
    """What a linear layer answers, its input rounded to fp8 too.

    Args:
        input: [..., columns].
        weight: of shape [rows, columns], with one scale or none; both sides multiples of 16.
        bias: [rows].
    """
    limit, one = torch.finfo(torch.float8_e4m3fn).max, torch.ones((), device=input.device)
    flat = input.reshape(-1, input.shape[-1]).clamp(-limit, limit).to(torch.float8_e4m3fn)
    scale = one if weight.scale is None else weight.scale.reshape(())
    columns = weight.data.view(weight.shape).t()
    multiply: Any = torch._scaled_mm  # pyright: ignore[reportPrivateImportUsage, reportPrivateUsage] - its only name
    made: Tensor = multiply(flat, columns, scale_a=one, scale_b=scale, out_dtype=input.dtype)
    made = made.view(*input.shape[:-1], weight.shape[0])
    return made if bias is None else made + bias


def packs(layer: nn.Module) -> bool:
    """Whether a layer's weight can be packed."""
    return type(layer) in KINDS
