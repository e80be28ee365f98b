"""Vision encoders (CLIP, SigLIP), and their output for models that are conditioned on pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from nodes.models.families.detection import looks
from nodes.models.families.vision_layout import VisionLayout, vision_layout
from nodes.models.files.folders import folder_weights
from nodes.models.files.pieces import NetworkSource
from nodes.models.files.tensor_files import Header, ModelFileError, read_header
from nodes.models.networks.building import built
from nodes.models.networks.network import Handle, Network
from nodes.models.networks.precision import compute_dtype

VISION = "vision encoder"
PREFIXES = ("conditioner.embedders.0.open_clip.model.", "cond_stage_model.model.", "embedder.")
"""What the names of the vision encoder have in front in a checkpoint."""
FOLDER = "image_encoder"
"""Of its weights in a diffusers folder."""
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
SIGLIP_MEAN = SIGLIP_STD = (0.5, 0.5, 0.5)


@dataclass(frozen=True, eq=False)
class Seen:
    """What a network saw in pictures; float32 on the CPU. Its parts can be had by name as well.

    Attributes:
        last_hidden_state: of each token, [B, tokens, width].
        penultimate_hidden_states: before the last layer, [B, tokens, width].
        image_embeds: of each picture: [B, width of the projection]; SigLIP, which projects nothing,
            gives the last hidden state.
    """

    last_hidden_state: Tensor
    penultimate_hidden_states: Tensor
    image_embeds: Tensor

    def __getitem__(self, name: str) -> Tensor:
        """A part by its name."""
        part: Tensor = getattr(self, name)
        return part


@dataclass(frozen=True, eq=False)
class VisionEncoder(Handle[nn.Module]):
    """A handle on a vision encoder; the value of CLIP_VISION sockets.

    Attributes:
        layout: how it is built.
    """

    layout: VisionLayout = field(repr=False)

    @property
    def side(self) -> int:
        """Of the pictures that it is given, in pixels."""
        return int(self.layout.config["image_size"])

    def dtype_on(self, device: str) -> torch.dtype:
        """float16 where the device does it well: bfloat16 has too few steps for this."""
        return compute_dtype(device, ("fp16",))

    def load(self, device: str) -> Network[nn.Module]:
        """Read the weights to `device`."""
        return Network(self.source, built(self._module), device, self.dtype_on(device))

    def _module(self) -> nn.Module:
        if self.layout.kind == "siglip":
            from transformers.models.siglip import SiglipVisionConfig, SiglipVisionModel

            siglip: Any = SiglipVisionModel
            return siglip(SiglipVisionConfig(**self.layout.config))
        from transformers.models.clip import CLIPVisionConfig, CLIPVisionModelWithProjection

        clip: Any = CLIPVisionModelWithProjection
        return clip(CLIPVisionConfig(**self.layout.config))

    @torch.no_grad()
    def see(self, pictures: Tensor, *, crop: bool) -> Seen:
        """Its output for pictures [B, H, W, 3 or more] of 0..1.

        `crop` cuts them about the centre to a square; otherwise they are pressed into one.
        """
        network = self.network
        module: Any = network.module
        planes = self.prepared(pictures, crop=crop).to(network.device, network.dtype)
        found = module(planes, output_hidden_states=True)
        last: Tensor = found.last_hidden_state
        embeds = last if self.layout.kind == "siglip" else found.image_embeds
        parts = (last, found.hidden_states[-2], embeds)
        return Seen(*(part.float().cpu() for part in parts))

    def prepared(self, pictures: Tensor, *, crop: bool) -> Tensor:
        """Pictures as the network was trained on them, [B, 3, side, side], float32."""
        planes, side = pictures[..., :3].movedim(-1, 1).float(), self.side
        height, width = planes.shape[-2:]
        if (height, width) != (side, side):
            factor = side / min(height, width)
            size = (round(height * factor), round(width * factor)) if crop else (side, side)
            planes = interpolate(planes, size=size, mode="bicubic", antialias=True)
            top, left = ((length - side) // 2 for length in planes.shape[-2:])
            planes = planes[..., top : top + side, left : left + side]
        planes = (planes * 255).clamp(0, 255).round() / 255
        siglip = self.layout.kind == "siglip"
        mean, std = (SIGLIP_MEAN, SIGLIP_STD) if siglip else (CLIP_MEAN, CLIP_STD)
        return (planes - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


def read_vision_encoder(path: Path) -> VisionEncoder:
    """The vision encoder that a file holds.

    Raises:
        ModelFileError: it holds none that is known; says what it is.
    """
    header = read_header(path)
    found = find_vision_encoder(header)
    if found is None:
        raise ModelFileError(
            f"{path}: not a vision encoder that can be loaded here; it looks like "
            f"{looks(header.shapes)}. Supported are those of CLIP (L, H, G) and SigLIP"
        )
    return found


def vision_encoder_of(path: Path) -> VisionEncoder:
    """The vision encoder in a checkpoint, a file or a diffusers folder.

    That a file lacks one is an error only when it is needed.

    Raises:
        ModelFileError: a folder that holds none.
    """
    if (found := vision_encoder_in(path)) is not None:
        return found
    if path.is_dir():
        raise ModelFileError(f"{path}: holds no {FOLDER}; take a folder of a model for pictures")
    part = NetworkSource(read_header(path), {}, "", {}, VISION)
    return VisionEncoder(part, VisionLayout("clip", {}, {}))


def vision_encoder_in(path: Path) -> VisionEncoder | None:
    """The vision encoder in a checkpoint; None: it holds none."""
    if path.is_dir():
        folder = path / FOLDER
        return read_vision_encoder(folder_weights(folder)) if folder.is_dir() else None
    header = read_header(path)
    found = (find_vision_encoder(header, prefix) for prefix in PREFIXES)
    return next((one for one in found if one is not None), None)


def find_vision_encoder(header: Header, prefix: str = "") -> VisionEncoder | None:
    """The vision encoder among the tensors of a file whose names begin so; None: there is none."""
    own = {name: shape for name, shape in header.shapes.items() if name.startswith(prefix)}
    layout = vision_layout(own)
    if layout is None:
        return None
    return VisionEncoder(
        NetworkSource(header, layout.pieces, prefix, layout.config, VISION), layout
    )
