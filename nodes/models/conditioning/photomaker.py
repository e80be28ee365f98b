"""A person in pictures put into the text, in the place of a word (PhotoMaker).

Li et al. 2023, https://arxiv.org/abs/2312.04461: a vision encoder with two projections sees the
pictures, and what it sees is fused with the vectors of the word before "photomaker".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nodes.models.conditioning.conditionings import Conditioning
from nodes.models.conditioning.vision import VisionEncoder
from nodes.models.families.detection import looks
from nodes.models.families.family import Encoder
from nodes.models.families.vision_layout import VisionLayout, vision_layout
from nodes.models.files.pieces import NetworkSource, placed, whole
from nodes.models.files.tensor_files import ModelFileError, read_header
from nodes.models.networks.building import built
from nodes.models.networks.network import Handle, Network
from nodes.models.networks.precision import compute_dtype
from nodes.models.text.prompt_weights import Chunk
from nodes.models.text.text_encoder import TextEncoder

PHOTOMAKER = "PhotoMaker model"
TRIGGER = "photomaker"
"""The word of a text behind the one that the person replaces."""
PREFIXES = ("id_encoder.", "")
SECOND, FUSE = "visual_projection_2.weight", "fuse_module."


class Mlp(nn.Module):
    """Two layers after a norm; `residual`: what comes in is added."""

    def __init__(self, given: int, width: int, *, residual: bool) -> None:
        super().__init__()
        self.layernorm = nn.LayerNorm(given)
        self.fc1, self.fc2 = nn.Linear(given, width), nn.Linear(width, width)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """[..., given] -> [..., width]."""
        made = self.fc2(nn.functional.gelu(self.fc1(self.layernorm(x))))
        return made + x if self.residual else made


class FuseModule(nn.Module):
    """Makes one vector of that of a word and that of a picture."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp1 = Mlp(2 * width, width, residual=False)
        self.mlp2 = Mlp(width, width, residual=True)
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, words: Tensor, pictures: Tensor) -> Tensor:
        """Each of [n, width] -> [n, width]."""
        fused = self.mlp1(torch.cat([words, pictures], dim=-1)) + words
        return self.layer_norm(self.mlp2(fused))


class PhotoMakerModule(nn.Module):
    """A vision encoder with two projections, and what fuses their outputs with words."""

    def __init__(self, layout: VisionLayout, second: int) -> None:
        from transformers.models.clip import CLIPVisionConfig, CLIPVisionModelWithProjection

        super().__init__()
        clip: Any = CLIPVisionModelWithProjection
        config = layout.config
        self.vision: Any = clip(CLIPVisionConfig(**config))
        self.visual_projection_2 = nn.Linear(config["hidden_size"], second, bias=False)
        self.fuse_module = FuseModule(config["projection_dim"] + second)

    def forward(self, planes: Tensor, words: Tensor) -> Tensor:
        """Vectors [n, width] of words, one for each prepared picture [n, 3, side, side]."""
        pooled = self.vision.vision_model(planes).pooler_output
        seen = [self.vision.visual_projection(pooled), self.visual_projection_2(pooled)]
        return self.fuse_module(words, torch.cat(seen, dim=-1))


@dataclass(frozen=True, eq=False)
class PhotoMaker(Handle[nn.Module]):
    """A handle on a PhotoMaker model.

    Attributes:
        layout: of its vision encoder.
        second: width of the second projection.
    """

    layout: VisionLayout = field(repr=False)
    second: int

    def load(self, device: str) -> Network[nn.Module]:
        """Read the weights to `device`."""
        module: nn.Module = built(lambda: PhotoMakerModule(self.layout, self.second))
        return Network(self.source, module, device, compute_dtype(device))

    @property
    def width(self) -> int:
        """Of the vectors of words."""
        return int(self.layout.config["projection_dim"]) + self.second

    @torch.no_grad()
    def fused(self, pictures: Tensor, words: Tensor) -> Tensor:
        """Vectors of words [n, width], each with what is seen in one of pictures [n, H, W, 3]."""
        network = self.network
        module: Any = network.module
        planes = VisionEncoder(self.source, self.layout).prepared(pictures, crop=True)
        given = (part.to(network.device, network.dtype) for part in (planes, words))
        made: Tensor = module(*given)
        return made.float().cpu()


def read_photomaker(path: Path) -> PhotoMaker:
    """The PhotoMaker model that a file holds.

    Raises:
        ModelFileError: it holds none that is supported; says what it is.
    """
    header = read_header(path)
    prefix = next((p for p in PREFIXES if p + SECOND in header.shapes), None)
    layout = vision_layout(header.shapes) if prefix is not None else None
    if prefix is None or layout is None:
        raise ModelFileError(
            f"{path}: not a PhotoMaker model; it looks like {looks(header.shapes)}. Supported is "
            "the first version, photomaker-v1.bin"
        )
    if any(name.startswith(f"{prefix}qformer_perceiver.") for name in header.shapes):
        raise ModelFileError(
            f"{path}: a PhotoMaker V2, which needs a recogniser of faces and is not supported; "
            "take the first version, photomaker-v1.bin"
        )
    own = {
        name.removeprefix(prefix): name
        for name in header.shapes
        if name.startswith((prefix + SECOND, prefix + FUSE))
    }
    pieces = placed(layout.pieces, "vision.", "") | whole(own)
    source = NetworkSource(header, pieces, prefix, layout.config, PHOTOMAKER)
    return PhotoMaker(source, layout, header.shapes[prefix + SECOND][0])


def with_person(
    photomaker: PhotoMaker,
    clip: TextEncoder,
    text: str,
    pictures: Tensor,
    warn: Callable[[str], None],
) -> Conditioning:
    """The conditioning of a text, the word before "photomaker" being who is in the pictures.

    Raises:
        ValueError: no word stands before it, or the text encoder is of another width.
    """
    places: list[int] = []

    def replaced(encoder: Encoder, chunks: Sequence[Chunk]) -> list[Chunk]:
        trigger = _tokens(clip, encoder)
        first, places[:] = _without_trigger(chunks[0], trigger, len(pictures))
        return [first, *chunks[1:]]

    ((states, options),) = clip.encode(text, change=replaced)
    if not places:
        warn(f"text: holds no word {TRIGGER!r}, so nobody is put into it")
        return [(states, options)]
    if states.shape[-1] != photomaker.width:
        raise ValueError(
            f"the PhotoMaker model is for texts {photomaker.width} wide, and this CLIP gives "
            f"{states.shape[-1]}; take the CLIP of an SDXL checkpoint"
        )
    states = states.clone()
    states[0, places] = photomaker.fused(pictures, states[0, places])
    return [(states, options)]


def _tokens(clip: TextEncoder, encoder: Encoder) -> list[object]:
    """The tokens of the trigger."""
    empty = [token for token, _ in clip.tokenize("", encoder=encoder)[0]]
    chunk = [token for token, _ in clip.tokenize(TRIGGER, encoder=encoder)[0]]
    return [*chunk[1 : chunk.index(empty[1], 1)]]


def _without_trigger(
    chunk: Chunk, trigger: Sequence[object], count: int
) -> tuple[Chunk, list[int]]:
    """A chunk without the trigger, the token before it `count` times, and where these are."""
    tokens = [token for token, _ in chunk]
    size = len(trigger)
    at = next((n for n in range(len(tokens)) if tokens[n : n + size] == [*trigger]), None)
    if at is None:
        return chunk, []
    if at < 2:
        raise ValueError(f"text: say who is meant before {TRIGGER}, as in: a man {TRIGGER}")
    longer = [*chunk[: at - 1], *[chunk[at - 1]] * count, *chunk[at + size :]]
    filled = [*longer, *[chunk[-1]] * len(chunk)][: len(chunk)]
    return filled, [*range(at - 1, min(at - 1 + count, len(chunk)))]
