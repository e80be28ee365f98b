"""The linear map between pictures and latents: the leading components of 8x8 pixel patches.

A latent is 16x16 cells; a cell holds `CHANNELS` numbers about its own 64 pixels. As the map is
linear, the latent of an object on any flat colour, or of two objects side by side, is a sum of
latents that are computed once (see `scenes`). `write_encoder` puts the map into the encoder of an
`AutoencoderKL`, where any program that reads diffusers folders finds it; what a picture loses
by the map, the trained decoder guesses from the neighbouring cells.
"""

# torch and diffusers annotate their methods only in part:
# pyright: reportUnknownMemberType=false

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional as F

CHANNELS = 24
CELL = 8  # pixels along one side of a cell
WIDTHS = (16, 32, 64, 96)  # of the autoencoder's levels
GROUPS = 2
STEADY = 1000.0  # see `write_encoder`
LOG_VARIANCE = -20.0  # of the posterior: latents are exact
SIZE = 0.5  # root mean square of latents, see `fit`


@dataclass(frozen=True)
class PatchMap:
    """latent = rows @ patch + offset; patches are 192 numbers in the order of `pixel_unshuffle`.

    Attributes:
        rows: [CHANNELS, 192].
        offset: [CHANNELS].
        back: [192, CHANNELS], from a latent to the nearest patch less `middle`.
        middle: [192], the mean patch.
    """

    rows: Tensor
    offset: Tensor
    back: Tensor
    middle: Tensor

    def encode(self, picture: Tensor) -> Tensor:
        """Latents [B, C, H / 8, W / 8] of pictures [B, 3, H, W] in -1..1."""
        return self.parts(picture) + self.offset[:, None, None]

    def parts(self, picture: Tensor) -> Tensor:
        """Without the offset: the latents of sums are the sums of these."""
        return F.conv2d(F.pixel_unshuffle(picture, CELL), self.rows[:, :, None, None])

    def decode(self, latent: Tensor) -> Tensor:
        """Pictures as far as the map alone gives them back."""
        patches = F.conv2d(latent, self.back[:, :, None, None], self.middle)
        return F.pixel_shuffle(patches, CELL)

    def to(self, device: torch.device) -> "PatchMap":
        """The map on a device."""
        return PatchMap(*(t.to(device) for t in (self.rows, self.offset, self.back, self.middle)))

    def colours(self) -> list[list[float]]:
        """What a latent looks like: red, green and blue in 0..1 for each channel, and a constant.

        As in `nodes.models.latents.previews`.
        """
        mean = self.back.T.reshape(-1, 3, CELL**2).mean(2) / 2
        first = self.middle.reshape(3, CELL**2).mean(1) / 2 + 0.5
        return [[round(float(v), 4) for v in row] for row in (*mean, first)]

    def save(self, path: Path) -> None:
        """Store the map."""
        torch.save(vars(self), path)

    @classmethod
    def load(cls, path: Path) -> "PatchMap":
        """The map that `save` stored."""
        return cls(**torch.load(path, weights_only=True))


def fit(pictures: Tensor, channels: int = CHANNELS) -> PatchMap:
    """The principal components of the patches of `pictures` [N, 3, H, W] in -1..1.

    A channel is divided by the root of its deviation, so that coarse ones keep more weight than
    fine ones, and all by one number that makes their root mean square `SIZE`. It is below 1, as the
    strongest noise of the schedule would else leave the coarse parts of a picture to be seen, and
    a denoiser that sees them has little to learn from words (Hoogeboom et al. 2023).
    """
    patches = F.pixel_unshuffle(pictures, CELL).movedim(1, -1).flatten(0, -2).double()
    middle = patches.mean(0)
    covariance = (patches - middle).T @ (patches - middle) / len(patches)
    variances, vectors = cast(tuple[Tensor, Tensor], torch.linalg.eigh(covariance))
    deviations = variances.flip(0)[:channels].clamp(min=0).sqrt()
    deviations = deviations.clamp(min=float(deviations[0]) * 1e-3)
    scale = deviations.sqrt() * deviations.mean().sqrt() / SIZE
    rows = _through_the_encoder(vectors.flip(1)[:, :channels].T / scale[:, None])
    latents = (patches - middle) @ rows.T
    inverse = cast(Tensor, torch.linalg.lstsq(latents, patches - middle).solution)
    back = inverse.T
    return PatchMap(rows.float(), -(rows @ middle).float(), back.float(), middle.float())


def _quarters(rows: Tensor) -> Tensor:
    """Rows [C, 192] cut into the four blocks of 4x4 pixels: [C, 2, 2, 48], channels first."""
    blocks = rows.reshape(-1, 3, 2, 4, 2, 4)  # C, colour, block row, row, block column, column
    return blocks.permute(0, 2, 4, 1, 3, 5).reshape(-1, 2, 2, 48)


def _basis(rows: Tensor) -> Tensor:
    """The `WIDTHS[1]` directions [32, 48] in which blocks of 4x4 pixels matter most to `rows`."""
    rows = _quarters(rows).reshape(-1, 48)
    return cast(Tensor, torch.linalg.svd(rows, full_matrices=False).Vh)[: WIDTHS[1]]


def _through_the_encoder(rows: Tensor) -> Tensor:
    """`rows` as far as they pass the encoder, whose second level is 32 wide where 48 are needed."""
    basis = _basis(rows)
    kept = (_quarters(rows) @ basis.T @ basis).reshape(-1, 2, 2, 3, 4, 4)
    return kept.permute(0, 3, 1, 4, 2, 5).reshape(-1, 192)


def new_autoencoder(channels: int = CHANNELS, side: int = 128) -> AutoencoderKL:
    """The untrained autoencoder, 1.7 M parameters.

    No attention in the middle, so that crops of any size train it. Residual branches start small
    and resampling convolutions near a plain copy, which lets colour through from the first step.
    """
    make: Any = AutoencoderKL  # its hints say tuples of one
    vae: AutoencoderKL = make(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=WIDTHS,
        layers_per_block=1,
        latent_channels=channels,
        norm_num_groups=GROUPS,
        sample_size=side,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
        scaling_factor=1.0,
    )
    with torch.no_grad():
        for name, module in cast(Any, vae.decoder).named_modules():
            if not isinstance(module, nn.Conv2d):
                continue
            if name.endswith("conv2"):
                module.weight.mul_(0.1)
            elif "samplers" in name:
                copy = nn.init.dirac_(torch.empty_like(module.weight))
                module.weight.mul_(0.2).add_(copy)
    return vae


@torch.no_grad()
def write_encoder(vae: AutoencoderKL, found: PatchMap) -> None:
    """Make `vae` encode by the map, to the rounding of its numbers.

    Every weight is zero but for a path of plain copies: 2x2 pixels become 12 channels, four such
    cells 32, four of those the latent. At the end stand a normalisation and an activation that are
    not linear. Each channel goes through them twice, with both signs, as silu(x) - silu(-x) = x;
    and a pair of large constants beside it keeps the deviation that it is divided by steady.
    """
    encoder: Any = vae.encoder
    for parameter in encoder.parameters():
        parameter.zero_()
    basis = _basis(found.rows.double()).float()
    channels = len(found.rows)
    for colour in range(3):
        encoder.conv_in.weight[colour, colour, 1, 1] = 1
    first, second, third = (block.downsamplers[0].conv for block in encoder.down_blocks[:3])
    for place in range(12):
        colour, row, column = place // 4, place // 2 % 2, place % 2
        first.weight[place, colour, row, column] = 1
    second.weight[:, :12, :2, :2] = (
        basis.reshape(-1, 3, 2, 2, 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(-1, 12, 2, 2)
    )
    quarters = _quarters(found.rows) @ basis.T
    third.weight[:channels, : WIDTHS[1], :2, :2] = quarters.permute(0, 3, 1, 2)
    for block, width in zip(encoder.down_blocks[1:3], WIDTHS, strict=False):
        block.resnets[0].conv_shortcut.weight[:width, :, 0, 0] = torch.eye(width)
    group = WIDTHS[3] // GROUPS
    last = encoder.down_blocks[3].resnets[0].conv_shortcut
    norm, out = encoder.conv_norm_out, encoder.conv_out
    norm.weight.fill_(STEADY * (2 / group) ** 0.5)
    for channel in range(channels):
        start = channel % GROUPS * group + channel // GROUPS * 2
        for sign, place in ((1, start), (-1, start + 1)):
            last.weight[place, channel, 0, 0] = sign
            out.weight[channel, place, 1, 1] = sign
    for start in range(0, WIDTHS[3], group):
        last.bias[start + group - 2] = STEADY
        last.bias[start + group - 1] = -STEADY
    out.bias[:channels] = found.offset
    out.bias[channels:] = LOG_VARIANCE
