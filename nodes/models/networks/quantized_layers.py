"""Layers whose weights stay quantized, and are dequantized for each call.

The weight that LoRAs see is `dequantized`; they act on such layers by side branches.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from nodes.models.files.quantized import QuantizedTensor, ScaledTensor

FP8_CAPABILITY, FP8_STEP = (8, 9), 16
"""From which of NVIDIA's generations on fp8 is multiplied, and what sides must be multiples of."""


class QuantizedLinear(nn.Linear):
    """A linear layer with a quantized weight; `weight` is the stored numbers.

    Attributes:
        multiplies: whether a device that can multiplies in the format of the weight itself.
    """

    quantized: QuantizedTensor
    multiplies: bool = False

    def dequantized(self) -> Tensor:
        """The weight in float32."""
        return self.quantized.dequantized(torch.float32)

    def forward(self, input: Tensor) -> Tensor:
        """As a linear layer of the same weight."""
        if self.multiplies and can_multiply(input, self.quantized):
            return product(input, cast(ScaledTensor, self.quantized), self.bias)
        return functional.linear(input, self.quantized.dequantized(input.dtype), self.bias)


class QuantizedConv2d(nn.Conv2d):
    """A convolution with a quantized weight; `weight` is the stored numbers."""

    quantized: QuantizedTensor

    def dequantized(self) -> Tensor:
        """The weight in float32."""
        return self.quantized.dequantized(torch.float32)

    def forward(self, input: Tensor) -> Tensor:
        """As a convolution of the same weight."""
        return self._conv_forward(input, self.quantized.dequantized(input.dtype), self.bias)


KINDS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Linear: QuantizedLinear,
    nn.Conv2d: QuantizedConv2d,
}
"""What layers become whose weights stay quantized; others get theirs dequantized."""


def quantize_layer(layer: nn.Module, quantized: QuantizedTensor) -> None:
    """Make a layer one with a quantized weight, in place: it keeps its settings and its bias."""
    kind: Any = KINDS[type(layer)]
    layer.__class__ = kind
    del layer.weight
    layer.register_buffer("weight", quantized.data, persistent=False)
    cast(QuantizedLinear, layer).quantized = quantized


def multiply_in_fp8(module: nn.Module) -> None:
    """Have the linear layers of a network multiply in fp8 where the device can."""
    for layer in module.modules():
        if isinstance(layer, QuantizedLinear):
            layer.multiplies = True


def can_multiply(input: Tensor, weight: QuantizedTensor) -> bool:
    """Whether a device multiplies in fp8, weights of this kind and size too."""
    if not input.is_cuda or torch.cuda.get_device_capability(input.device) < FP8_CAPABILITY:
        return False
    if not isinstance(weight, ScaledTensor) or weight.data.dtype is not torch.float8_e4m3fn:
        return False
    one_scale = weight.scale is None or weight.scale.numel() == 1
    return one_scale and not any(side % FP8_STEP for side in weight.shape)


def product(input: Tensor, weight: ScaledTensor, bias: Tensor | None) -> Tensor:
    """Output of a linear layer, its input rounded to fp8 too.

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


def can_quantize(layer: nn.Module) -> bool:
    """Whether a layer's weight can stay quantized."""
    return type(layer) in KINDS
