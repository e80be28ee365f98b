"""What a model family is: one value, in one file of its own.

Nothing here needs torch when it is imported: the server asks families about headers too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from nodes.models.files.pieces import NetworkSource, Pieces
from nodes.models.latents.formats import LatentFormat

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.conditioning.inputs import Inputs, InputsRequest
    from nodes.models.sampling.sigma_space import SigmaSpace

Shapes: TypeAlias = Mapping[str, Sequence[int]]
"""Names and shapes of tensors, without a prefix."""

UNET = "UNet"
"""Title of a denoiser's `NetworkSource`."""
TEXT_ENCODER = "text encoder"
"""Title of the `NetworkSource` of all text encoders of a model."""
VAE = "VAE"
"""Title of an autoencoder's `NetworkSource`."""


@dataclass(frozen=True)
class Net:
    """A denoiser by its header.

    Attributes:
        pieces: what its weights are made of, names in the file without a prefix.
        config: of its network.
    """

    pieces: Pieces = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Encoder:
    """One text encoder of a family, and what is taken from it.

    Attributes:
        name: "clip_l", "clip_g" or "clip_h"; its weights have it in front.
        prefixes: what its weights may have in front in a checkpoint.
        folder: of its weights in a diffusers folder.
        tokenizer: folder of its vocabulary there.
        activation: see `clip_layout`.
        layer: whose output is taken, counted from the end; -1: the last.
        final_norm: whether the output of another layer than the last goes through the last norm.
        projected: whether the pooled vector is projected.
        pad: id of the token that fills a chunk; None: as the vocabulary says.
    """

    name: str
    prefixes: tuple[str, ...] = field(repr=False)
    folder: str = field(default="text_encoder", repr=False)
    tokenizer: str = field(default="tokenizer", repr=False)
    activation: str = "gelu"
    layer: int = -1
    final_norm: bool = True
    projected: bool = False
    pad: int | None = None


@dataclass(frozen=True, eq=False)
class Found:
    """A denoiser in a file, for what its weights and marks say about its sampling.

    Attributes:
        source: its weights.
        tensor: reads a tensor of the file by its whole name.
        latent: the family's latent format.
    """

    source: NetworkSource
    tensor: Callable[[str], Tensor]
    latent: LatentFormat

    def marked(self, name: str) -> str | None:
        """The whole name of a tensor that only marks its file, None where it is not there."""
        shapes = self.source.header.shapes
        return next((n for n in (name, self.source.prefix + name) if n in shapes), None)


@dataclass(frozen=True, eq=False)
class Facts:
    """What a family's functions know of one model of it.

    Attributes:
        family: what a person calls its family.
        config: of the network.
        latent: its latents.
        space: its levels of noise.
        mark: a tensor of the file that is no weight, by its name; None: it is not there.
    """

    family: str
    config: Mapping[str, Any]
    latent: LatentFormat
    space: SigmaSpace
    mark: Callable[[str], Tensor | None] = lambda _: None


@dataclass(frozen=True, eq=False)
class Family:
    """A kind of model: how it is recognised, built, given its inputs, sampled and called.

    Attributes:
        name: what a person calls it.
        detect: the denoiser that has such tensors, None where they are another family's.
        network: class of the denoiser, "module:Class"; imported when it is loaded.
        latent: its latents.
        encoders: its text encoders, in the order in which their texts stand side by side.
        sampling: its sigma space and latent format, by what the file says.
        inputs: what the network is given for a conditioning.
        call: evaluates it: (module, its input [B, C, ...], timesteps [B], inputs) -> output.
            Whatever is packed for the network is packed here: all else sees spatial latents.
        safe: the halves ("bf16", "fp16") whose range and steps its denoisers bear, the better one
            first.
        marks: tensors of a file that belong to such a model beside the weights; kept when it is
            saved.
        needed: those of `marks` without which a file is another family's.
        keeps_clean: whether latents outside of a mask are given to the network without noise; it
            knows where by timesteps of frames or tokens.
    """

    name: str
    detect: Callable[[Shapes], Net | None]
    network: str
    latent: LatentFormat
    encoders: tuple[Encoder, ...]
    sampling: Callable[[Found], tuple[SigmaSpace, LatentFormat]]
    inputs: Callable[[InputsRequest, Facts], Inputs]
    call: Callable[[Any, Tensor, Tensor, Mapping[str, Tensor]], Tensor]
    safe: tuple[str, ...] = ("bf16", "fp16")
    marks: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    keeps_clean: bool = False
