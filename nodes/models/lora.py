"""LoRA files: small changes to the weights of a UNet and a text encoder.

Understood are the spellings of kohya's scripts, PEFT and diffusers, and besides plain low-rank
pairs (Hu et al. 2021, https://arxiv.org/abs/2106.09685) LoHa, whole differences and new values.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from nodes.models.checkpoints import TEXT_ENCODER, UNET, Part
from nodes.models.network import Change, Handle
from nodes.models.tensor_files import Header, ModelFileError, TensorFile

log = logging.getLogger(__name__)

HandleT = TypeVar("HandleT", bound=Handle[Any])

# What a tensor of an adapter is called at its end -> what it is.
ROLES = {
    ".lora_up.weight": "up",
    ".lora_down.weight": "down",
    ".lora_mid.weight": "mid",
    ".lora_B.weight": "up",
    ".lora_A.weight": "down",
    ".lora_B.default.weight": "up",
    ".lora_A.default.weight": "down",
    ".lora_linear_layer.up.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    ".lora.up.weight": "up",
    ".lora.down.weight": "down",
    "_lora.up.weight": "up",
    "_lora.down.weight": "down",
    ".alpha": "alpha",
    ".diff": "diff",
    ".diff_b": "diff_b",
    ".w_norm": "diff",
    ".b_norm": "diff_b",
    ".set_weight": "set",
    **{f".hada_{end}": end for end in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")},
}
UNSUPPORTED = {
    ".lokr_w1": "LoKr",
    ".lokr_w2": "LoKr",
    ".lokr_w1_a": "LoKr",
    ".lokr_w2_a": "LoKr",
    ".dora_scale": "DoRA",
    ".oft_blocks": "OFT",
    ".a1.weight": "GLoRA",
}
# How the name of a module may begin, after its dots have become underscores.
BEGINNINGS = {
    UNET: ("lora_unet_", "lycoris_", "unet_", "diffusion_model_", "model_diffusion_model_"),
    TEXT_ENCODER: (
        "lora_te_text_model_",
        "lora_te1_text_model_",
        "text_encoder_text_model_",
        "text_encoder_",
    ),
}


@dataclass(frozen=True, eq=False)
class Lora:
    """The adapters in a file, at a strength; a `Patch`.

    Attributes:
        header: the file.
        adapters: name of a module, dots made underscores -> role -> name of the tensor.
    """

    header: Header
    adapters: Mapping[str, Mapping[str, str]] = field(repr=False)
    strength: float

    @property
    def key(self) -> str:
        """The file's identity and the strength."""
        return f"{self.header.identity}*{self.strength!r}"

    def targets(self, part: Part) -> dict[str, str]:
        """Which adapter belongs to which module of a network: adapter's name -> module's name."""
        modules = _spellings(part)
        found: dict[str, str] = {}
        for spelled in self.adapters:
            for beginning in BEGINNINGS.get(part.title, ()):
                module = modules.get(spelled.removeprefix(beginning))
                if spelled.startswith(beginning) and module is not None:
                    found[spelled] = module
        return found

    def changes(self, part: Part) -> Iterator[tuple[str, Change]]:
        """Each weight it touches in the network of `part`, and how.

        Raises:
            ModelFileError: the file changed, or an adapter does not fit its weight.
        """
        if not self.header.is_current:
            raise ModelFileError(
                f"{self.header.path}: has changed since it was chosen; queue the job again"
            )
        file = TensorFile(self.header)
        for spelled, module in self.targets(part).items():
            tensors = {role: file[name].float() for role, name in self.adapters[spelled].items()}
            for ending, change in _changes(tensors, self.strength):
                weight = f"{module}.{ending}"
                if weight in part.names:
                    yield weight, self._checked(spelled, change)

    def _checked(self, spelled: str, change: Change) -> Change:
        """`change`, its complaint made clear."""

        def checked(weight: Tensor) -> None:
            try:
                change(weight)
            except RuntimeError as error:
                raise ModelFileError(
                    f"{self.header.path}: {spelled} does not fit a weight of shape "
                    f"{tuple(weight.shape)} ({error}); the LoRA is for another kind of model"
                ) from None

        return checked


def read_lora(header: Header, strength: float) -> Lora:
    """The adapters that a file holds.

    Raises:
        ModelFileError: it holds none, or some of a kind that is not supported.
    """
    adapters: dict[str, dict[str, str]] = {}
    for name in header.shapes:
        for ending, kind in UNSUPPORTED.items():
            if name.endswith(ending):
                raise ModelFileError(
                    f"{header.path}: {name} is a {kind} adapter, which is not supported; "
                    "convert the file to plain LoRA"
                )
        ending = max((end for end in ROLES if name.endswith(end)), key=len, default=None)
        if ending is not None:
            module = _spelled(name.removesuffix(ending))
            adapters.setdefault(module, {})[ROLES[ending]] = name
    if not adapters:
        first = ", ".join(sorted(header.shapes)[:3])
        raise ModelFileError(f"{header.path}: not a LoRA; it holds {first}, ...")
    return Lora(header, adapters, strength)


def with_lora(handle: HandleT, lora: Lora) -> HandleT:
    """The same network with one more LoRA; strength 0 changes nothing."""
    if lora.strength == 0:
        return handle
    return replace(handle, patches=(*handle.patches, lora))


def check_fits(lora: Lora, *parts: Part) -> None:
    """See that a LoRA has something to say to at least one of some networks.

    Raises:
        ModelFileError: not one module of it is known.
    """
    known = {spelled for part in parts for spelled in lora.targets(part)}
    if not known:
        raise ModelFileError(
            f"{lora.header.path}: none of its {len(lora.adapters)} modules "
            f"({min(lora.adapters)}, ...) is in this model; the LoRA is for another kind of model"
        )
    if unknown := lora.adapters.keys() - known:
        log.warning(
            "%s: %d modules are not in this model and are left out (%s, ...)",
            lora.header.path,
            len(unknown),
            min(unknown),
        )


def _spelled(module: str) -> str:
    """One form for all spellings of a module's name, kohya's."""
    flat = module.removeprefix("base_model.model.").replace(".", "_").replace("_processor_", "_")
    return flat + "_0" if flat.endswith("_to_out") else flat


def _spellings(part: Part) -> dict[str, str]:
    """The modules of a network by their names in kohya's form, diffusers' and the original ones."""
    found: dict[str, str] = {}
    for ours, theirs in part.names.items():
        module = ours.rpartition(".")[0]
        original = theirs.removeprefix(part.prefix).rpartition(".")[0]
        found[_spelled(original)] = module
        found[_spelled(module)] = module
    return found


def _changes(adapter: Mapping[str, Tensor], strength: float) -> Iterator[tuple[str, Change]]:
    """What an adapter of float32 tensors does: pairs of "weight" or "bias" and the change."""
    if "set" in adapter:
        yield "weight", lambda weight: weight.copy_(adapter["set"].reshape(weight.shape))
    for role, ending in (("diff", "weight"), ("diff_b", "bias")):
        if role in adapter:
            yield ending, _adding(adapter[role], strength)
    if "up" in adapter and "down" in adapter:
        factor = strength * _scale(adapter, rank=adapter["down"].shape[0])
        if "mid" in adapter:
            yield "weight", _adding(_tucker(adapter), factor)
        else:
            yield "weight", _adding_product(adapter["up"], adapter["down"], factor)
    if "w1_a" in adapter:
        factor = strength * _scale(adapter, rank=adapter["w1_b"].shape[0])
        yield "weight", _adding(_hadamard(adapter), factor)


def _adding(delta: Tensor, factor: float) -> Change:
    return lambda weight: weight.add_(delta.to(weight).reshape(weight.shape), alpha=factor)


def _adding_product(up: Tensor, down: Tensor, factor: float) -> Change:
    """Add ``factor * up @ down`` without ever holding the product."""

    def add(weight: Tensor) -> None:
        left, right = up.flatten(1).to(weight), down.flatten(1).to(weight)
        weight.view(weight.shape[0], -1).addmm_(left, right, alpha=factor)

    return add


def _scale(adapter: Mapping[str, Tensor], rank: int) -> float:
    return float(adapter["alpha"]) / rank if "alpha" in adapter else 1.0


def _tucker(adapter: Mapping[str, Tensor]) -> Tensor:
    """A low rank with a small convolution in its middle."""
    up, down = adapter["up"].flatten(1), adapter["down"].flatten(1)
    return torch.einsum("or,rshw,si->oihw", up, adapter["mid"], down)


def _hadamard(adapter: Mapping[str, Tensor]) -> Tensor:
    """LoHa, https://arxiv.org/abs/2108.06098: the product, number by number, of two low ranks."""
    factors: list[Tensor] = []
    for n in ("1", "2"):
        a, b = adapter[f"w{n}_a"], adapter[f"w{n}_b"]
        if f"t{n}" in adapter:
            factors.append(torch.einsum("rshw,si,ro->oihw", adapter[f"t{n}"], b, a))
        else:
            factors.append(a @ b)
    return factors[0] * factors[1]
