"""How the tensors of a LoRA file are named: what they are, and which module they are for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from nodes.models.families.family import TEXT_ENCODER, UNET
from nodes.models.files.pieces import NetworkSource
from nodes.models.networks import lora_numbers

# What a tensor of an adapter is called at its end -> its role.
ROLES = {
    ".lora_up.weight": "up",
    ".lora_down.weight": "down",
    ".lora_mid.weight": "mid",
    ".lora_B.weight": "up",
    ".lora_A.weight": "down",
    ".lora_B.bias": "up_b",
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
    **{
        f".lokr_{end}": f"lokr_{end}"
        for end in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t1", "t2")
    },
    **{f".{end}.weight": end for end in ("a1", "a2", "b1", "b2", "bm")},
    ".oft_blocks": "oft",
    ".oft_diag": "oft_r",
    ".rescale": "rescale",
    ".on_input": "on_input",
    ".ia3_l": "ia3",
    **dict.fromkeys((".lora_up", ".lora_B"), "up"),
    **dict.fromkeys((".lora_down", ".lora_A"), "down"),
    **dict.fromkeys((".lora_alpha", ".lora.alpha", "_lora.alpha"), "alpha"),
    ".dora_scale": "dora",
    ".lora_magnitude_vector": "magnitude",
    ".lora_magnitude_vector.weight": "magnitude",
}
# PEFT calls its adapters by name, behind the kind of a tensor.
NAMED = re.compile(
    r"\.(lora_A|lora_B|lora_magnitude_vector|ia3_l|hada_\w+?|lokr_\w+?)"
    r"\.(?!(?:weight|bias)$)([^.]+)(\.(?:weight|bias))?$"
)
UNSUPPORTED = {
    re.compile(r"\.b?oft_[Rs]\b"): "OFT (PEFT's kind)",
    re.compile(r"\bvera_lambda_\w"): "VeRA",
}
"""Their files leave out what is needed to apply them."""

# How the name of a module may begin, after its dots have become underscores.
BEGINNINGS = {
    UNET: (
        *("lora_unet_", "lycoris_", "unet_", "diffusion_model_", "model_diffusion_model_"),
        *("lora_transformer_", "transformer_", ""),
    ),
    # Of the only encoder, or of CLIP-L.
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
SECOND_BEGINNINGS = (
    "lora_te2_text_model_",
    "text_encoder_2_text_model_",
    "text_encoder_2_",
    "lycoris_te2_text_model_",
)
"""How the name of a module of the second encoder begins, or of CLIP-G alone."""
OF_TEXT = ("lora_te", "text_", "te1_", "te2_", "lycoris_text_")
# Early diffusers called the projections of a text encoder as those of a UNet.
TEXT_PROCESSOR = re.compile(r"_self_attn_to_(q|k|v|out)$")


def role_of(name: str) -> tuple[str, str, str | None] | None:
    """The module, the role and the adapter that the name of a tensor gives; None: of no adapter.

    ``base_model.model.x.lora_A.style.weight`` -> ("x", "down", "style"), the module in the form of
    `flat`.
    """
    if (number := lora_numbers.NAME.fullmatch(name)) is not None:
        return f"{number[1]}:{number[2]}", number[3], None
    adapter = None
    plain = name
    if (match := NAMED.search(name)) is not None:
        adapter = match[2]
        end = match[3] or (".weight" if match[1].startswith("lora_") else "")
        plain = f"{name[: match.start()]}.{match[1]}{end}"
    ending = max((end for end in ROLES if plain.endswith(end)), key=len, default=None)
    if ending is None:
        return None
    return flat(plain.removesuffix(ending)), ROLES[ending], adapter


def flat(module: str) -> str:
    """One form for all spellings of a module's name, kohya's: underscores for dots."""
    found = module.replace("base_model.model.", "").replace(".", "_").replace("_processor_", "_")
    found = TEXT_PROCESSOR.sub(r"_self_attn_\1_proj", found)
    return found + "_0" if found.endswith("_to_out") else found


def unsupported(names: Iterable[str]) -> tuple[str, str] | None:
    """The first of some names that is of an unsupported kind, and the kind."""
    for name in names:
        for pattern, kind in UNSUPPORTED.items():
            if pattern.search(name):
                return name, kind
    return None


def is_of_text(module: str) -> bool:
    """Whether the name of a module, in the form of `flat`, is of a text encoder."""
    return module.startswith(OF_TEXT)


def targets(modules: Iterable[str], source: NetworkSource) -> dict[str, str]:
    """Which module of a network each name, in the form of `flat`, is for."""
    known = _known(source)
    found: dict[str, str] = {}
    ways = [(beginning, known[0]) for beginning in BEGINNINGS.get(source.title, ())]
    ways += [(beginning, known[-1]) for beginning in SECOND_BEGINNINGS]
    for spelled in modules:
        for beginning, names in ways:
            module = names.get(spelled.removeprefix(beginning))
            if spelled.startswith(beginning) and module is not None:
                found.setdefault(spelled, module)
    return found


def parts(
    spelled: str, source: NetworkSource
) -> Sequence[tuple[str, Sequence[tuple[int, int]]]] | None:
    """What a name in the form of `flat` stands for where the file holds it as one layer.

    Returns:
        The modules of the network that it is made of, each with the first and the number of its
        rows in the layer, in their order; None: the layer is one module as it is.
    """
    fused = _fused(source)
    for beginning in BEGINNINGS.get(source.title, ()):
        if spelled.startswith(beginning) and spelled.removeprefix(beginning) in fused:
            return fused[spelled.removeprefix(beginning)]
    return None


@lru_cache(maxsize=16)
def _fused(
    source: NetworkSource,
) -> Mapping[str, Sequence[tuple[str, Sequence[tuple[int, int]]]]]:
    """Layers of the file of which modules have some rows: by name, and which."""
    found: dict[str, dict[str, list[tuple[int, int]]]] = {}
    for ours, of_one in source.pieces.items():
        if any(piece.rows is None or piece.transposed for piece in of_one):
            continue
        original, _, ending = of_one[0].name.removeprefix(source.prefix).rpartition(".")
        if ending == "weight":
            rows = [(piece.start, piece.rows or 0) for piece in of_one]
            found.setdefault(flat(original), {})[ours.rpartition(".")[0]] = rows
    return {name: tuple(modules.items()) for name, modules in found.items()}


def kohya_name(source: NetworkSource, module: str) -> str:
    """What kohya's scripts call a module of a network; every program reads their names."""
    encoder, _, inner = module.partition(".")
    encoders = list(source.config) if source.title == TEXT_ENCODER else []
    if encoder not in encoders:
        return BEGINNINGS[source.title][0] + module.replace(".", "_")
    second = len(encoders) > 1 and encoder == encoders[-1]
    beginning = SECOND_BEGINNINGS[0] if second else BEGINNINGS[TEXT_ENCODER][len(encoders) > 1]
    return beginning + inner.replace(".", "_")


@lru_cache(maxsize=16)
def _known(source: NetworkSource) -> Sequence[Mapping[str, str]]:
    """The modules of a network by their names in kohya's form, diffusers' and the original ones.

    Of text encoders for each of them, CLIP-L first.
    """
    encoders = [f"{name}." for name in source.config] if source.title == TEXT_ENCODER else []
    encoders = encoders or [""]
    found: list[dict[str, str]] = [{} for _ in encoders]
    for ours, theirs in source.names.items():
        module = ours.rpartition(".")[0]
        original = theirs.removeprefix(source.prefix).rpartition(".")[0]
        for encoder, names in zip(encoders, found, strict=True):
            if module.startswith(encoder):
                names[flat(original)] = module
                names[flat(module.removeprefix(encoder))] = module
    return found
