"""Networks that steer a UNet: ControlNets, union ControlNets and T2I adapters, and their files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nodes.models.families.control_layout import ControlLayout, control_layout
from nodes.models.families.detection import looks
from nodes.models.families.unet import DOWN, INNER, MID
from nodes.models.files.pieces import NetworkSource, whole
from nodes.models.files.tensor_files import Header, ModelFileError, TensorFile, read_header
from nodes.models.networks.building import built, network_class
from nodes.models.networks.changes import Change
from nodes.models.networks.network import Handle, Network

CONTROL = "ControlNet"
DIFFERENCE = "difference"
"""A tensor of this name marks a file of differences to a model's weights."""
UNION_TYPES = {
    "openpose": 0,
    "depth": 1,
    "hed/pidi/scribble/ted": 2,
    "canny/lineart/anime_lineart/mlsd": 3,
    "normal": 4,
    "segment": 5,
    "tile": 6,
    "repaint": 7,
}
"""Kinds of hint of union ControlNets, and their numbers."""
OTHERS = (
    ("lora_controlnet", "a control LoRA"),
    ("lllite_", "a ControlNet-LLLite"),
    ("pos_embed_input.", "a ControlNet of Stable Diffusion 3"),
    ("controlnet_x_embedder.", "a ControlNet of FLUX"),
    ("controlnet_blocks.", "a ControlNet of a transformer"),
)


@dataclass(frozen=True, eq=False)
class SteeringNet(Handle[nn.Module]):
    """A handle on a network that steers a UNet.

    Attributes:
        layout: how it is built.
        pooled: whether its residuals are averaged over the picture, as those of "shuffle" are.
    """

    layout: ControlLayout = field(repr=False)
    pooled: bool = False
    keeps_quantized: ClassVar[bool] = True

    def load(self, device: str) -> Network[nn.Module]:
        """Read the weights to `device`."""
        network: Any = network_class(self.layout.network)
        module: nn.Module = built(lambda: network.from_config(self.layout.config))
        return Network(
            self.source, module, device, self.dtype_on(device), keeps_quantized=self.keeps_quantized
        )

    @torch.no_grad()
    def residuals(
        self,
        x: Tensor,
        timestep: Tensor,
        inputs: Mapping[str, Tensor],
        hints: Tensor,
        kind: int | None,
    ) -> dict[str, Tensor]:
        """What is added inside of the UNet, by names that `DOWN`, `MID` and `INNER` begin.

        Args:
            x: input of the UNet, [B, C, h, w].
            timestep: of each, [B].
            inputs: of the UNet besides, of B rows each.
            hints: pictures of 0..1 at the size that `x` stands for, [B, 3, H, W].
            kind: of the hint, for union ControlNets; None: the network finds out.
        """
        network = self.network
        module: Any = network.module
        hints = hints.to(network.device, network.dtype)
        if self.layout.kind == "adapter":
            return {f"{INNER}{n:02}": made for n, made in enumerate(module(self._colors(hints)))}
        given: dict[str, Any] = {
            "sample": x[:, : self.layout.config["in_channels"]].to(network.dtype),
            "timestep": timestep,
            "encoder_hidden_states": inputs["text"].to(x.device, network.dtype),
            "return_dict": False,
        }
        if "addition_embed_type" in self.layout.config:
            given["added_cond_kwargs"] = {
                "text_embeds": inputs["pooled"].to(x.device, network.dtype),
                "time_ids": inputs["sizes"].to(x.device),
            }
        if self.layout.kind == "union":
            down, mid = self._union(module, given, hints, kind)
        else:
            down, mid = module(controlnet_cond=self._colors(hints), **given)
        found = {f"{DOWN}{n:02}": made for n, made in enumerate(down)} | {MID: mid}
        if self.pooled:
            found = {n: r.mean(dim=(2, 3), keepdim=True).expand_as(r) for n, r in found.items()}
        return found

    def _colors(self, hints: Tensor) -> Tensor:
        """Hints of as many channels as the network takes: some take grey."""
        key = "in_channels" if self.layout.kind == "adapter" else "conditioning_channels"
        if self.layout.config[key] == 1:
            return hints.mean(dim=1, keepdim=True)
        return hints

    def _union(
        self, module: Any, given: dict[str, Any], hints: Tensor, kind: int | None
    ) -> tuple[Sequence[Tensor], Tensor]:
        kinds = self.layout.config["num_control_type"]
        types = hints.new_zeros(len(hints), kinds)
        if kind is not None:
            types[:, kind] = 1
            return module(
                controlnet_cond=[hints], control_type=types, control_type_idx=[kind], **given
            )
        # Of no kind, a hint is added as it is; diffusers' network would leave it out.
        embedded: Tensor = module.controlnet_cond_embedding(hints)

        def added(_module: Any, _given: Any, made: Tensor) -> Tensor:
            return made + embedded

        hook = module.conv_in.register_forward_hook(added)
        try:
            return module(controlnet_cond=[], control_type=types, control_type_idx=[], **given)
        finally:
            hook.remove()


@dataclass(frozen=True, eq=False)
class Difference:
    """A patch that adds a model's own weights to a ControlNet that holds differences to them."""

    model: NetworkSource

    @property
    def key(self) -> str:
        """Tells it from other patches."""
        return f"+{self.model.identity}"

    def changes(self, source: NetworkSource) -> Iterable[tuple[str, Change]]:
        """Pairs of a weight's name and a change of it."""
        file = TensorFile(self.model.header)
        for name in source.pieces.keys() & self.model.pieces.keys():
            weight = self.model.weight(file, name)
            if weight.shape == source.shape(name):
                yield name, Change(_adding(weight), f"the model {self.model.header.path}")


def _adding(weight: Tensor) -> Callable[[Tensor], object]:
    def add(changed: Tensor) -> None:
        changed.add_(weight.to(changed))

    return add


def read_control_net(path: Path, model: NetworkSource | None = None) -> SteeringNet:
    """The network that a file holds; one of differences needs the `model` they are to.

    Raises:
        ModelFileError: it holds none that is known; says what it is.
    """
    header = read_header(path)
    layout = control_layout(header.shapes)
    if layout is None:
        raise ModelFileError(
            f"{path}: not a ControlNet that can be loaded here; it looks like {_looks(header)}. "
            "Supported are ControlNets of Stable Diffusion 1.x, 2.x and SDXL, union ControlNets, "
            "and T2I adapters"
        )
    source = NetworkSource(header, whole(layout.names), "", layout.config, CONTROL)
    net = SteeringNet(source, layout, "shuffle" in path.stem)
    if DIFFERENCE not in header.shapes:
        return net
    if model is None:
        raise ModelFileError(
            f"{path}: holds differences to a model's weights; load it with DiffControlNetLoader"
        )
    return replace(net, patches=(Difference(model),))


def union_kind(net: SteeringNet, type: str) -> int | None:
    """The number of a type of hint, by its name in `UNION_TYPES`; None: the network finds out.

    Raises:
        ValueError: the network does not know it.
    """
    kind = UNION_TYPES.get(type)
    known = int(net.layout.config.get("num_control_type", len(UNION_TYPES)))
    if kind is not None and kind >= known:
        names = ", ".join(name for name, number in UNION_TYPES.items() if number < known)
        raise ValueError(
            f"the ControlNet {net.source.header.path.name} does not know {type!r}, but {names}"
        )
    return kind


def _looks(header: Header) -> str:
    for sign, kind in OTHERS:
        if any(name.startswith(sign) for name in header.shapes):
            return kind
    return looks(header.shapes)
