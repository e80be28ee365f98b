"""The denoiser: a network of any family, and how it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nodes.models.conditioning.inputs import Inputs, InputsRequest
from nodes.models.families.family import Facts, Family
from nodes.models.families.unet import GUIDED
from nodes.models.files.checkpoints import DenoiserSource
from nodes.models.files.tensor_files import TensorFile
from nodes.models.latents.formats import LatentFormat
from nodes.models.latents.latents import blank_for
from nodes.models.networks.building import built, channels_last, network_class
from nodes.models.networks.compiled import CompiledNetwork
from nodes.models.networks.network import Handle, Network
from nodes.models.networks.patched_transformer import PatchedTransformer
from nodes.models.networks.patched_unet import PatchedUNet, UNetPatch
from nodes.models.networks.precision import FAST, FORMATS, WEIGHT_DTYPES, compute_dtype
from nodes.models.networks.quantized_layers import multiply_in_fp8
from nodes.models.sampling.cfg import Guidance
from nodes.models.sampling.sigma_space import SigmaSpace
from nodes.models.sampling.step_cache import StepCache


@dataclass(frozen=True, eq=False)
class Denoiser(Handle[nn.Module]):
    """A handle on a denoiser.

    Attributes:
        family: what kind of model it is.
        space: its levels of noise, and what its answers mean.
        latent: its latents.
        guidance: how it is guided.
        unet_patches: what changes the evaluation of its UNet.
        caches: what answers in place of the network where little changes.
        compiled: a backend of torch.compile for the network; "": it is not compiled.
        differential: whether masks tell when a place begins to change: how much so, 0..1.
        weight_dtype: one of `WEIGHT_DTYPES`. Weights that the file has in few bits stay so.
        computes_in: one of `FORMATS`, instead of what the service was started with and what the
            device does well; "default": not.
    """

    family: Family
    space: SigmaSpace = field(repr=False)
    latent: LatentFormat
    guidance: Guidance = field(default=Guidance(), repr=False, kw_only=True)
    caches: tuple[StepCache, ...] = field(default=(), repr=False, kw_only=True)
    compiled: str = field(default="", kw_only=True)
    differential: float = field(default=0.0, kw_only=True)
    unet_patches: tuple[UNetPatch, ...] = field(default=(), repr=False, kw_only=True)
    weight_dtype: str = field(default="default", kw_only=True)
    computes_in: str = field(default="default", kw_only=True)
    keeps_quantized: ClassVar[bool] = True

    @classmethod
    def of(cls, found: DenoiserSource) -> Denoiser:
        """The handle on what a file holds."""
        return cls(found.source, found.family, found.space, found.latent)

    @property
    def base(self) -> str:
        """Whose weights it needs, and in which format."""
        compiled = f"~{self.compiled}" if self.compiled else ""
        return f"{super().base}~{self.weight_dtype}~{self.computes_in}{compiled}"

    @property
    def handles(self) -> list[Any]:
        """What its guidance needs besides."""
        return self.guidance.handles

    @property
    def matrices(self) -> torch.dtype | None:
        """What the weights are rounded to."""
        name = WEIGHT_DTYPES[self.weight_dtype]
        return None if name is None else getattr(torch, name)

    def dtype_on(self, device: str) -> torch.dtype:
        """What was chosen for it, or else the best that its family bears."""
        if self.computes_in in FORMATS:
            return getattr(torch, FORMATS[self.computes_in])
        return compute_dtype(device, self.family.safe)

    @cached_property
    def terms(self) -> str:
        """What its answers depend on: its weights, and its sigma space."""
        return f"{self.key}:{self.space.key}"

    @property
    def facts(self) -> Facts:
        """What its family is told of it."""
        return Facts(self.family.name, self.source.config, self.latent, self.space, self.mark)

    def mark(self, name: str) -> Tensor | None:
        """A tensor that lies beside the weights in the file, by its name; None: there is none."""
        header = self.source.header
        for whole in (name, self.source.prefix + name):
            if whole in header.shapes:
                return TensorFile(header)[whole]
        return None

    @property
    def is_unet(self) -> bool:
        """Whether the network is a UNet; it is a transformer else."""
        return ".unets." in self.family.network

    @property
    def is_given_guidance(self) -> bool:
        """Whether the network was distilled with its guidance, and is given the scale of it."""
        return self.source.config.get(GUIDED) is not None

    def start(self, latents: Tensor) -> Tensor:
        """Latents to begin with: blank ones of any kind of model become this model's own.

        A batch of pictures is one of videos of a single frame to models with an axis of frames.
        """
        if not self.latent.own_blank:
            latents = blank_for(latents, self.latent.channels, self.latent.factor)
        flat = latents.ndim == 4 and self.latent.dimensions == 3
        return latents[:, :, None] if flat else latents

    def inputs(self, request: InputsRequest) -> Inputs:
        """What the network is given for a conditioning.

        Raises:
            ValueError: the conditioning is another kind of model's.
        """
        return self.family.inputs(request, self.facts)

    def load(self, device: str) -> Network[nn.Module]:
        """Read the network's weights to `device`."""
        kind: Any = network_class(self.family.network)
        module: nn.Module = built(lambda: kind.from_config(self.source.config))
        dtype, matrices = self.dtype_on(device), self.matrices
        network = Network(
            self.source,
            module,
            device,
            dtype,
            keeps_quantized=self.keeps_quantized,
            matrices=matrices,
        )
        if dtype is not torch.float32:
            channels_last(module)
        if self.weight_dtype.endswith(FAST):
            multiply_in_fp8(module)
        if self.compiled:
            network.compiled = CompiledNetwork(module, self.compiled)
        return network

    @torch.no_grad()
    def denoised(
        self,
        x: Tensor,
        sigma: Tensor,
        inputs: Mapping[str, Tensor],
        patches: Sequence[UNetPatch] = (),
    ) -> Tensor:
        """What the network takes for the picture behind the noise.

        Args:
            x: noisy latents in the unit of the network, float32 [B, C, ...].
            sigma: level of the noise of each, [B].
            inputs: what the network is given besides, of B rows each; see `Family.inputs`.
            patches: those of `unet_patches` that act now, and others for this call.

        Raises:
            ValueError: latents that belong to another kind of model.
        """
        self._check(x)
        network = self.network
        given = {name: tensor.to(x.device) for name, tensor in inputs.items()}
        patched = PatchedUNet if self.is_unet else PatchedTransformer
        answer = self.family.call(
            patched(network.module, patches) if patches else network.call,
            self.space.network_input(x, sigma).to(network.dtype),
            self.space.timestep(sigma).to(x.device),
            given,
        )
        return self.space.denoised(x, answer.float(), sigma)

    def _check(self, x: Tensor) -> None:
        if x.ndim != 2 + self.latent.dimensions:
            raise ValueError(
                f"the latent has the shape {tuple(x.shape)}, of a video or a sound, and this model "
                "draws pictures; make it with EmptyLatentImage"
            )
        if x.shape[1] != self.latent.channels:
            raise ValueError(
                f"the latent has {x.shape[1]} channels and this model works on "
                f"{self.latent.channels}; make it with this model's VAE or with EmptyLatentImage"
            )
