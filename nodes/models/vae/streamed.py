"""Autoencoders of videos: latents [B, C, T, h, w], and pictures, one frame after another.

A video is decoded and encoded some frames at a time, which leave the device at once: memory does
not grow with its length. Where even that is too much, it is done in tiles, each through all of
time.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import torch
from torch import Tensor

from nodes.models.families.video_vae_layout import HUNYUAN, WAN
from nodes.models.memory import ask_for, readable
from nodes.models.networks.building import built, network_class
from nodes.models.networks.network import Network
from nodes.models.networks.tiles import Progress, spans, weights
from nodes.models.vae.autoencoder import Vae, log
from nodes.models.vae.parts import OVERLAP, TILES, Warn

MODULE = "diffusers.models.autoencoders.autoencoder_kl_wan"
SPAN, STRIDE = 8, 6
"""Latent frames that are worked on at once beside a first one, and from one part to the next."""
WIDTH = 96
"""Numbers for each pixel in the widest layers, where the config does not say."""


@dataclass(frozen=True, eq=False)
class StreamedVae(Vae):
    """A handle on an autoencoder of videos."""

    network_name: ClassVar[str]

    @property
    def factor(self) -> int:
        """Pixels along one side of a cell."""
        return int(self.source.config["scale_factor_spatial"])

    @property
    def time_factor(self) -> int:
        """Frames for one of the latents; the first stands for one alone."""
        return int(self.source.config["scale_factor_temporal"])

    @property
    def channels(self) -> int:
        """Channels of its latents."""
        return int(self.source.config["z_dim"])

    def frames(self, length: int) -> int:
        """How many frames so many latent ones are."""
        return (length - 1) * self.time_factor + 1

    def length(self, frames: int) -> int:
        """How many latent frames so many are; those that are too many at the end do not count."""
        return (frames - 1) // self.time_factor + 1

    def load(self, device: str) -> Network[Any]:
        """Read the weights to `device`."""
        kind: Any = network_class(self.network_name)
        module = built(lambda: kind.from_config(self.source.config))
        return Network(self.source, module, device, self.dtype_on(device))

    @abstractmethod
    def decoded(self, module: Any, latents: Tensor) -> Iterator[Tensor]:
        """The frames of a video [1, C, T, h, w], some at a time: [1, 3, frames, H, W]."""

    @abstractmethod
    def encoded(self, module: Any, frames: Tensor) -> Iterator[Tensor]:
        """The latents of a video [1, 3, frames, H, W] in -1..1, some at a time: [1, C, t, h, w]."""

    def need(self, pixels: int, *, decoding: bool) -> int:
        """Bytes that the frames of one of the latents take, by estimate."""
        width = int(self.source.config.get("decoder_base_dim", WIDTH))
        numbers = pixels * width * (self.time_factor + 2)
        return numbers * (3 if decoding else 2) * self.network.dtype.itemsize

    def decoding(
        self, latents: Tensor, warn: Warn = log.warning, *, tiles: tuple[int, int] | None = None
    ) -> Progress[Tensor]:
        """As `Vae.decoding`, of [B, C, T, h, w]: the frames of all videos, one after another."""
        latents = self._own(latents)
        if latents.ndim == 4:
            latents = latents[:, :, None]
        count, _, length, rows, columns = latents.shape
        step, frames = self.factor, self.frames(length)
        sides = rows * step, columns * step
        ask_for("pictures", count * frames, *sides, 3)
        pictures = torch.empty(count, frames, *sides, 3)

        def run(video: Tensor, into: Tensor) -> Progress[None]:
            start = 0
            network = self.network
            for part in self.decoded(network.module, video.to(network.device, network.dtype)):
                made = part[0].movedim(0, -1).float().cpu()
                into[start : start + len(made)] += made
                start += len(made)
                yield start, frames

        for number in range(count):
            part = latents[number : number + 1]
            yield from self._tiled(part, pictures[number], 1, step, run, warn, tiles)
        return pictures.flatten(0, 1).add_(1).div_(2).clamp_(0, 1)

    def encoding(
        self, pictures: Tensor, warn: Warn = log.warning, *, tiles: tuple[int, int] | None = None
    ) -> Progress[Tensor]:
        """As `Vae.encoding`: the latents [1, C, T, h, w] of pictures that are one video."""
        video = self.cropped(pictures[..., :3]).movedim(-1, 0)[None]
        length = self.length(video.shape[2])
        video = video[:, :, : self.frames(length)]
        step = self.factor
        latents = torch.empty(length, video.shape[3] // step, video.shape[4] // step, self.channels)

        def run(video: Tensor, into: Tensor) -> Progress[None]:
            start = 0
            network = self.network
            given = video.to(network.device, network.dtype) * 2 - 1
            for part in self.encoded(network.module, given):
                made = part[0].movedim(0, -1).float().cpu()
                into[start : start + len(made)] += made
                start += len(made)
                yield start, length

        yield from self._tiled(video, latents, step, 1, run, warn, tiles)
        return latents.movedim(-1, 0)[None].contiguous()

    def _tiled(
        self,
        video: Tensor,
        result: Tensor,
        less: int,
        more: int,
        run: Any,
        warn: Warn,
        tiles: tuple[int, int] | None,
    ) -> Progress[None]:
        """Put what `run` makes of a video into `result` [frames, H, W, C], in tiles if need be.

        The sides of the result are those of the video by `less`, times `more`.
        """
        whole = max(video.shape[-2:]) * more
        pixels = video.shape[-2] * video.shape[-1] * more**2
        need = self.need(pixels, decoding=more > 1)
        room = self.room()
        sizes = [whole, *(side for side in TILES if side < whole)]
        fitting = [side for side in sizes if need * min(side**2, pixels) <= room * pixels]
        sides = [tiles] if tiles else [(side, OVERLAP) for side in fitting or [TILES[-1]]]
        for side, overlap in sides:
            result.zero_()
            try:
                yield from self._by_tiles(video, result, less, more, run, side, overlap)
            except torch.OutOfMemoryError:
                continue
            if tiles is None and side < whole:
                warn(
                    f"frames as a whole take about {readable(need)}, and {self.device} has "
                    f"{readable(room)}: the VAE worked in tiles of {side} pixels, which may differ "
                    "a little in colour"
                )
            return
        raise ValueError(
            f"the memory of {self.device} does not hold even a tile for the VAE ({readable(room)} "
            "are free); unload other models, or take smaller tiles"
        )

    def _by_tiles(
        self, video: Tensor, result: Tensor, less: int, more: int, run: Any, side: int, overlap: int
    ) -> Progress[None]:
        unit = self.factor // more  # what a cell of the latents is in `video`
        tile = max(1, side // self.factor) * unit
        shared = min(overlap, side // 2) // self.factor * unit
        places = [
            (*y, *x)
            for y in spans(video.shape[-2], tile, shared)
            for x in spans(video.shape[-1], tile, shared)
        ]
        if len(places) == 1:
            yield from run(video, result)
            return
        total = result.new_zeros(result.shape[1:3])
        for number, (y, high, x, wide) in enumerate(places):
            part = video[..., y : y + high, x : x + wide]
            top, left, down, along = (each * more // less for each in (y, x, high, wide))
            made = result.new_zeros(len(result), down, along, result.shape[-1])
            for done, of in run(part, made):
                yield number * of + done, len(places) * of
            weight = weights((down, along), total.shape, shared * more // less)
            result[:, top : top + down, left : left + along] += made * weight[..., None]
            total[top : top + down, left : left + along] += weight
        result /= total[..., None]


@dataclass(frozen=True, eq=False)
class WanVae(StreamedVae):
    """A handle on an autoencoder of Wan or Qwen-Image, whose layers keep what is before in time."""

    network_name = f"{MODULE}:{WAN}"

    @torch.no_grad()
    def decoded(self, module: Any, latents: Tensor) -> Iterator[Tensor]:
        """As `StreamedVae.decoded`: the frames of one latent one at a time."""
        given: Tensor = module.post_quant_conv(latents)
        kept: list[Any] = [None] * module._cached_conv_counts["decoder"]
        for place in range(given.shape[2]):
            made = module.decoder(
                given[:, :, place : place + 1],
                feat_cache=kept,
                feat_idx=[0],
                first_chunk=place == 0,
            )
            if (patch := module.config.patch_size) is not None:
                made = import_module(MODULE).unpatchify(made, patch)
            yield made.clamp(-1, 1)

    @torch.no_grad()
    def encoded(self, module: Any, frames: Tensor) -> Iterator[Tensor]:
        """As `StreamedVae.encoded`: one latent frame at a time, the mode of the posterior."""
        kept: list[Any] = [None] * module._cached_conv_counts["encoder"]
        start = 0
        while start < frames.shape[2]:
            end = start + (self.time_factor if start else 1)
            given = frames[:, :, start:end]
            if (patch := module.config.patch_size) is not None:
                given = import_module(MODULE).patchify(given, patch)
            made = module.quant_conv(module.encoder(given, feat_cache=kept, feat_idx=[0]))
            yield made.chunk(2, dim=1)[0]
            start = end


@dataclass(frozen=True, eq=False)
class HunyuanVideoVae(StreamedVae):
    """A handle on HunyuanVideo's autoencoder, which sees some seconds at a time.

    Of a longer video parts are worked on that overlap, and fade into each other.
    """

    network_name = f"diffusers.models.autoencoders.autoencoder_kl_hunyuan_video:{HUNYUAN}"

    @property
    def factor(self) -> int:
        """Pixels along one side of a cell."""
        return int(self.source.config["spatial_compression_ratio"])

    @property
    def time_factor(self) -> int:
        """Frames for one of the latents; the first stands for one alone."""
        return int(self.source.config["temporal_compression_ratio"])

    @property
    def channels(self) -> int:
        """Channels of its latents."""
        return int(self.source.config["latent_channels"])

    def need(self, pixels: int, *, decoding: bool) -> int:
        """Bytes that a part of a video takes, by estimate."""
        numbers = pixels * int(self.source.config["block_out_channels"][0])
        return numbers * SPAN * self.time_factor * 3 * self.network.dtype.itemsize

    @torch.no_grad()
    def decoded(self, module: Any, latents: Tensor) -> Iterator[Tensor]:
        """As `StreamedVae.decoded`."""
        yield from _faded(
            latents, lambda part: module.decode(part, return_dict=False)[0], 1, self.time_factor
        )

    @torch.no_grad()
    def encoded(self, module: Any, frames: Tensor) -> Iterator[Tensor]:
        """As `StreamedVae.encoded`: the mode of the posterior."""
        yield from _faded(
            frames,
            lambda part: module.encode(part, return_dict=False)[0].mode(),
            self.time_factor,
            1,
        )


def _faded(
    video: Tensor, run: Callable[[Tensor], Tensor], given: int, made: int
) -> Iterator[Tensor]:
    """What `run` makes of a video [1, C, T, H, W], part by part.

    Args:
        video: its first frame stands for one alone.
        run: makes a part of it.
        given: frames of `video` for one of the latents.
        made: frames of what is made for one of the latents.
    """
    kept: Tensor | None = None
    start = 0
    while True:
        part = video[:, :, start * given : (start + SPAN) * given + 1]
        last = (start + SPAN) * given + 1 >= video.shape[2]
        found = run(part)
        if kept is not None:
            found = found[:, :, 1:]
            share = torch.linspace(0, 1, kept.shape[2] + 2)[1:-1].to(found)[:, None, None]
            shared = found[:, :, : kept.shape[2]]
            found = torch.cat(
                [kept * (1 - share) + shared * share, found[:, :, kept.shape[2] :]], dim=2
            )
        if last:
            yield found
            return
        count = STRIDE * made + (start == 0)
        yield found[:, :, :count]
        kept = found[:, :, count:]
        start += STRIDE
