"""Guidance by what a network says when its self-attention is disturbed."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from nodes.models.networks.unet_patches import PerturbedAttention
from nodes.models.sampling.cfg import CfgInput, Extra, ExtraPass

BLUR = 9  # latent pixels along a side of the kernel
SALIENT = 1.0  # tokens that get more than their share of attention
SMALLEST_SIDE = 4  # latents that are no larger cannot be blurred


def perturbed_attention(scale: float) -> ExtraPass:
    """PAG: away from the result without self-attention; Ahn et al. 2024, equation 16.

    https://arxiv.org/abs/2403.17377.
    """

    def follow(given: CfgInput, answer: Tensor, extra: Extra) -> Tensor:
        return answer + (given.cond - extra.denoised) * scale

    return ExtraPass(follow, patches=(PerturbedAttention(),))


def self_attention(scale: float, blur: float) -> ExtraPass:
    """SAG: away from the result for a picture that is blurred where attention is.

    Hong et al. 2022, https://arxiv.org/abs/2210.00939, algorithm 1; `blur` is the standard
    deviation of the kernel, in latent pixels.
    """

    def start(x: Tensor, uncond: Tensor, seen: Tensor) -> Tensor:
        if min(x.shape[-2:]) <= SMALLEST_SIDE:
            return x
        return _blurred_where(uncond, seen > SALIENT, blur) + x - uncond

    def follow(given: CfgInput, answer: Tensor, extra: Extra) -> Tensor:
        if min(answer.shape[-2:]) <= SMALLEST_SIDE:
            return answer
        degraded = extra.x - given.x + given.uncond
        return answer + (degraded - extra.denoised) * scale

    return ExtraPass(follow, of_uncond=True, start=start)


def _blurred_where(latents: Tensor, tokens: Tensor, deviation: float) -> Tensor:
    """Latents [B, C, H, W], blurred where tokens [B, n] over the whole of them are true."""
    rows, columns = latents.shape[-2:]
    mask = tokens.reshape(len(tokens), 1, *_sides(tokens.shape[1], rows / columns)).float()
    mask = interpolate(mask, size=(rows, columns))
    return _blurred(latents, deviation) * mask + latents * (1 - mask)


def _sides(count: int, ratio: float) -> tuple[int, int]:
    """Rows and columns of so many tokens, of a ratio near to that."""
    near = round(math.sqrt(ratio * count))
    rows = min((n for n in range(1, count + 1) if count % n == 0), key=lambda n: abs(n - near))
    return rows, count // rows


def _blurred(latents: Tensor, deviation: float) -> Tensor:
    """By a Gaussian kernel of `BLUR` pixels, mirrored at the edges."""
    if deviation <= 0:
        return latents
    places = torch.arange(BLUR, device=latents.device) - BLUR // 2
    line = (-0.5 * (places / deviation) ** 2).exp()
    line = line / line.sum()
    channels = latents.shape[1]
    kernel = (line[:, None] * line).to(latents).expand(channels, 1, BLUR, BLUR)
    edges = [BLUR // 2] * 4
    return conv2d(pad(latents, edges, mode="reflect"), kernel, groups=channels)
