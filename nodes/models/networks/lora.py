"""LoRA files: small changes to the weights of a UNet and a text encoder.

Understood are the spellings of kohya's scripts, PEFT and diffusers (`ROLES`, `NAMED`,
`BEGINNINGS`), and besides plain low-rank pairs (Hu et al. 2021, https://arxiv.org/abs/2106.09685)
LoHa, DoRA (Liu et al. 2024, https://arxiv.org/abs/2402.09353), whole differences and new values.
Other kinds are refused by name; tensors that nobody looks at are counted for the user.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from nodes.models.files.checkpoints import TEXT_ENCODER, UNET, Part
from nodes.models.files.tensor_files import Header, ModelFileError, TensorFile
from nodes.models.networks.network import Change, Handle

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
    **dict.fromkeys((".lora_up", ".lora_B"), "up"),
    **dict.fromkeys((".lora_down", ".lora_A"), "down"),
    **dict.fromkeys((".lora_alpha", ".lora.alpha", "_lora.alpha"), "alpha"),
    ".dora_scale": "dora",
    ".lora_magnitude_vector": "magnitude",
    ".lora_magnitude_vector.weight": "magnitude",
}
# PEFT calls its adapters by name, between the kind of a tensor and ".weight".
NAMED = re.compile(r"\.(lora_A|lora_B|lora_magnitude_vector)\.(?!weight$)([^.]+)(\.weight)?$")
UNSUPPORTED = {
    re.compile(r"\.lokr_\w+$"): "LoKr",
    re.compile(r"\.oft_(blocks|diag)$|\.oft_R\b"): "OFT",
    re.compile(r"\.boft_\w+"): "BOFT",
    re.compile(r"\.[ab][12]\.weight$"): "GLoRA",
    re.compile(r"\.on_input$|\bia3_l\b"): "IA3",
    re.compile(r"\bvera_lambda_\w"): "VeRA",
    re.compile(r"^(unet|text_encoder):\d+:(up|down)$"): "numbered (cloneofsimo/lora)",
}
# What must be there together to change a weight, or a bias.
COMPLETE = {
    "weight": ({"up", "down"}, {"w1_a", "w1_b", "w2_a", "w2_b"}, {"diff"}, {"set"}),
    "bias": ({"diff_b"},),
}
# How the name of a module may begin, after its dots have become underscores.
BEGINNINGS = {
    UNET: ("lora_unet_", "lycoris_", "unet_", "diffusion_model_", "model_diffusion_model_", ""),
    TEXT_ENCODER: (
        "lora_te_text_model_",
        "lora_te1_text_model_",
        "lora_te_",
        "text_encoder_text_model_",
        "text_encoder_",
        "lycoris_text_model_",
        "text_model_",
        "",
    ),
}


@dataclass(frozen=True, eq=False)
class Lora:
    """The adapters in a file, at a strength; a `Patch`.

    Attributes:
        header: the file.
        adapters: name of a module, dots made underscores -> role -> name of the tensor.
        unread: tensors that belong to none of them.
    """

    header: Header
    adapters: Mapping[str, Mapping[str, str]] = field(repr=False)
    strength: float
    unread: tuple[str, ...] = field(default=(), repr=False)

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
                    found.setdefault(spelled, module)
        return {
            spelled: module
            for spelled, module in found.items()
            if any(f"{module}.{end}" in part.names for end in _endings(self.adapters[spelled]))
        }

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
    named: set[str] = set()
    for name in header.shapes:
        for pattern, kind in UNSUPPORTED.items():
            if pattern.search(name):
                raise ModelFileError(
                    f"{header.path}: {name} is of a {kind} adapter, which is not supported; "
                    "convert the file to plain LoRA"
                )
        plain = name
        if (match := NAMED.search(name)) is not None:
            named.add(match[2])
            plain = f"{name[: match.start()]}.{match[1]}.weight"
        ending = max((end for end in ROLES if plain.endswith(end)), key=len, default=None)
        if ending is not None:
            module = _spelled(plain.removesuffix(ending))
            adapters.setdefault(module, {})[ROLES[ending]] = name
    if len(named) > 1:
        raise ModelFileError(
            f"{header.path}: holds {len(named)} adapters at once ({', '.join(sorted(named)[:5])}); "
            "save each in a file of its own"
        )
    return _complete(header, adapters, strength)


def _complete(header: Header, adapters: Mapping[str, Mapping[str, str]], strength: float) -> Lora:
    """A LoRA of the adapters that change something; the others are unread."""
    whole = {module: roles for module, roles in adapters.items() if _endings(roles)}
    if not whole:
        first = ", ".join(sorted(header.shapes)[:3])
        why = (
            "would change nothing, as each of its adapters lacks a half" if adapters else "no LoRA"
        )
        raise ModelFileError(f"{header.path}: {why}; it holds {first}, ...")
    read = {name for roles in whole.values() for name in roles.values()}
    return Lora(header, whole, strength, tuple(sorted(header.shapes.keys() - read)))


def _endings(roles: Mapping[str, str]) -> list[str]:
    """Which of "weight" and "bias" an adapter with these roles changes."""
    return [end for end, sets in COMPLETE.items() if any(each <= roles.keys() for each in sets)]


def with_lora(handle: HandleT, lora: Lora) -> HandleT:
    """The same network with one more LoRA; strength 0 changes nothing."""
    if lora.strength == 0:
        return handle
    return replace(handle, patches=(*handle.patches, lora))


def check_fits(lora: Lora, *parts: Part, warn: Callable[[str], object] = log.warning) -> None:
    """See that a LoRA has something to say to at least one of some networks.

    Args:
        lora: what was read.
        parts: the networks; where there is no text encoder, what is for one may be left out.
        warn: is told what else is left out, in a sentence each.

    Raises:
        ModelFileError: not one module of it is known, or none of what it says can be done.
    """
    known = {spelled for part in parts for spelled in lora.targets(part)}
    if not known:
        raise ModelFileError(
            f"{lora.header.path}: none of its {len(lora.adapters)} modules "
            f"({min(lora.adapters)}, ...) is in this model; the LoRA is for another kind of model"
        )
    unknown = lora.adapters.keys() - known
    if not any(part.title == TEXT_ENCODER for part in parts):
        unknown = {spelled for spelled in unknown if not _is_of_text(spelled)}
    if unknown:
        warn(
            f"{lora.header.path.name}: {len(unknown)} of its {len(lora.adapters)} modules are not "
            f"in this model and are left out ({min(unknown)}, ...)"
        )
    if lora.unread:
        warn(
            f"{lora.header.path.name}: {len(lora.unread)} of its {len(lora.header.shapes)} tensors "
            f"mean nothing here and are left out ({lora.unread[0]}, ...)"
        )


def _is_of_text(spelled: str) -> bool:
    return spelled.startswith(("lora_te", "text_", "te1_", "lycoris_text_"))


def _spelled(module: str) -> str:
    """One form for all spellings of a module's name, kohya's."""
    flat = module.replace("base_model.model.", "").replace(".", "_").replace("_processor_", "_")
    flat = TEXT_PROCESSOR.sub(r"_self_attn_\1_proj", flat)
    return flat + "_0" if flat.endswith("_to_out") else flat


# Early diffusers called the projections of a text encoder as those of a UNet.
TEXT_PROCESSOR = re.compile(r"_self_attn_to_(q|k|v|out)$")


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
    if "dora" in adapter or "magnitude" in adapter:
        yield "weight", _decomposed(adapter, strength)
    elif {"up", "down"} <= adapter.keys() and "mid" not in adapter:
        factor = strength * _scale(adapter, rank=adapter["down"].shape[0])
        yield "weight", _adding_product(adapter["up"], adapter["down"], factor)
    elif (low_rank := _low_rank(adapter)) is not None:
        yield "weight", _adding(low_rank[0], strength * low_rank[1])


def _low_rank(adapter: Mapping[str, Tensor]) -> tuple[Tensor, float] | None:
    """The difference of a low rank, and what it is multiplied by; None where there is none."""
    if {"up", "down"} <= adapter.keys():
        product = _tucker(adapter) if "mid" in adapter else _product(adapter)
        return product, _scale(adapter, rank=adapter["down"].shape[0])
    if "w1_a" in adapter:
        return _hadamard(adapter), _scale(adapter, rank=adapter["w1_b"].shape[0])
    return None


def _decomposed(adapter: Mapping[str, Tensor], strength: float) -> Change:
    """DoRA: the changed weight with lengths of its rows, or columns, of its own.

    At another strength than 1 it goes that far of the way from the weight to it.
    """
    low_rank = _low_rank(adapter)
    magnitude = adapter["magnitude"] if "magnitude" in adapter else adapter["dora"]

    def change(weight: Tensor) -> None:
        merged = weight.clone()
        if low_rank is not None:
            merged += low_rank[0].to(weight).reshape(weight.shape) * low_rank[1]
        # PEFT keeps a length for each output, LyCORIS also for each input: [1, inputs].
        by_row = "magnitude" in adapter or magnitude.shape[:1] == weight.shape[:1]
        axis = 0 if by_row else 1
        others = [other for other in range(weight.dim()) if other != axis]
        length = merged.square().sum(dim=others, keepdim=True).sqrt().clamp_min(1e-12)
        merged *= magnitude.to(weight).reshape(length.shape) / length
        weight.lerp_(merged, strength)

    return change


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


def _product(adapter: Mapping[str, Tensor]) -> Tensor:
    return adapter["up"].flatten(1) @ adapter["down"].flatten(1)


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
