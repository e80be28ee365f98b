"""The start of the decoder: the best linear one of its shape.

The decoder's skip connections and resampling convolutions alone are a linear map from latents to a
picture. Fitted in two minutes, it gives pictures about as good as the encoder's inverse does;
then the residual branches, which begin at zero, learn what no linear map can know.
"""

# torch and diffusers annotate their methods only in part:
# pyright: reportUnknownMemberType=false

from collections.abc import Callable
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional as F

from training.loop import Plan
from training.patches import GROUPS, WIDTHS

STEADY = 6.0  # constants beside features of about 1, see `patches.write_encoder`


def fit(vae: AutoencoderKL, draw: Callable[[], tuple[Tensor, Tensor]], plan: Plan) -> float:
    """Fit the linear path of the decoder to pairs of latents and pictures, and begin with it.

    Returns the last mean square error.
    """
    decoder: Any = vae.decoder
    width = WIDTHS[0] // GROUPS
    features = GROUPS * (width // 2 - 1)
    narrow = nn.Conv2d(WIDTHS[1], features, 1).to(vae.device)
    head = nn.Conv2d(features, 3, 3, padding=1).to(vae.device)
    path = [decoder.conv_in, narrow, head]
    for block in decoder.up_blocks[:-1]:
        path += _straight(block)
    learnt = [weight for module in path for weight in module.parameters()]
    optimiser = torch.optim.AdamW(learnt, plan.rate, betas=(0.9, 0.99), weight_decay=0, fused=True)

    def inner(latent: Tensor) -> Tensor:
        x = decoder.conv_in(latent)
        for block in decoder.up_blocks[:-1]:
            for module in _straight(block):
                x = module(x)
        return narrow(x)

    error = 0.0
    for step in range(plan.steps):
        latent, picture = draw()
        for group in optimiser.param_groups:
            group["lr"] = plan.rate_at(step, step / plan.steps)
        loss = F.mse_loss(head(inner(latent)), picture)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        error += (float(loss.detach()) - error) * max(0.02, 1 / (step + 1))
    with torch.no_grad():
        _begin_with(decoder, narrow, head, inner(draw()[0]).square().mean((0, 2, 3)).sqrt())
    return error


def _straight(block: Any) -> list[nn.Module]:
    """The linear part of a block of the decoder."""
    modules: list[nn.Module | None] = [block.resnets[0].conv_shortcut, *(block.upsamplers or [])]
    return [module for module in modules if module is not None]


def _begin_with(decoder: Any, narrow: nn.Conv2d, head: nn.Conv2d, size: Tensor) -> None:
    """Put the last layers of the linear path into the decoder's, with both signs of each feature.

    `size` is the root mean square of each feature.
    """
    for name, module in decoder.named_modules():
        if name.endswith("conv2"):
            module.weight.zero_()
            module.bias.zero_()
    shortcut, norm, out = (
        decoder.up_blocks[-1].resnets[0].conv_shortcut,
        decoder.conv_norm_out,
        decoder.conv_out,
    )
    for parameter in (shortcut.weight, shortcut.bias, out.weight, norm.bias):
        parameter.zero_()
    width = WIDTHS[0] // GROUPS
    gain = ((2 * STEADY**2 + width - 2) / width) ** 0.5
    norm.weight.fill_(gain)
    assert narrow.bias is not None
    for feature, scale in enumerate(size):
        start = feature % GROUPS * width + feature // GROUPS * 2
        for sign, place in ((1, start), (-1, start + 1)):
            shortcut.weight[place, :, 0, 0] = sign * narrow.weight[feature, :, 0, 0] / scale
            shortcut.bias[place] = sign * narrow.bias[feature] / scale
            out.weight[:, place] = sign * head.weight[:, feature] * scale
    for start in range(0, WIDTHS[0], width):
        shortcut.bias[start + width - 2] = STEADY
        shortcut.bias[start + width - 1] = -STEADY
    out.bias.copy_(head.bias)
