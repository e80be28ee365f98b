"""Nodes that change models by LoRAs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

from engine import Choice, Files, Range, Run, Tooltip, node
from nodes.models.files.unfit import unfit_lora
from nodes.sockets import Clip, Model

if TYPE_CHECKING:
    from nodes.models.networks.lora import Adapters

Strength = Annotated[float, Range(-100.0, 100.0, 0.01)]
OfModel = Annotated[Strength, Tooltip("How much the denoiser changes; below 0 the other way.")]
OfClip = Annotated[Strength, Tooltip("How much the text encoder changes; below 0 the other way.")]
ToChange = Annotated[Model, Tooltip("The denoiser to change.")]
TextToChange = Annotated[Clip, Tooltip("The text encoder to change.")]
LoraName = Annotated[
    str, Choice(Files("loras"), judge=unfit_lora), Tooltip("A file in models/loras.")
]


class Patched(NamedTuple):
    """A denoiser and a text encoder with a LoRA on them."""

    MODEL: Model
    CLIP: Clip


@node("LoraLoader", category="loaders", display_name="Load LoRA")
def load_lora(
    run: Run,
    *,
    model: ToChange,
    clip: TextToChange,
    lora_name: LoraName,
    strength_model: OfModel = 1.0,
    strength_clip: OfClip = 1.0,
) -> Patched:
    """Change a denoiser and a text encoder by a LoRA; several can follow one another."""
    return _patched(run, model, clip, lora_name, strength_model, strength_clip, aside=False)


@node("LoraLoaderBypass", category="loaders", display_name="Load LoRA (Bypass)")
def load_lora_aside(
    run: Run,
    *,
    model: ToChange,
    clip: TextToChange,
    lora_name: LoraName,
    strength_model: OfModel = 1.0,
    strength_clip: OfClip = 1.0,
) -> Patched:
    """As Load LoRA, the weights left as they are: what the LoRA adds is computed beside them.

    Changing LoRAs is quicker so, each step slower; pictures differ by rounding.
    """
    return _patched(run, model, clip, lora_name, strength_model, strength_clip, aside=True)


def _patched(
    run: Run,
    model: Model,
    clip: Clip,
    name: str,
    strength_model: float,
    strength_clip: float,
    *,
    aside: bool,
) -> Patched:
    from nodes.models.networks.lora import Lora, check_fits, with_lora

    adapters = _read(run, name)
    check_fits(adapters, model.part, clip.part, warn=run.warn)
    return Patched(
        MODEL=with_lora(model, Lora(adapters, strength_model, aside)),
        CLIP=with_lora(clip, Lora(adapters, strength_clip, aside)),
    )


@node("LoraLoaderModelOnly", category="loaders", display_name="Load LoRA (Model Only)")
def load_lora_for_model(
    run: Run, *, model: ToChange, lora_name: LoraName, strength_model: OfModel = 1.0
) -> Model:
    """Change a denoiser by a LoRA; what the file holds for a text encoder is left out."""
    return _patched_model(run, model, lora_name, strength_model, aside=False)


@node(
    "LoraLoaderBypassModelOnly",
    category="loaders",
    display_name="Load LoRA (Bypass, Model Only)",
)
def load_lora_aside_for_model(
    run: Run, *, model: ToChange, lora_name: LoraName, strength_model: OfModel = 1.0
) -> Model:
    """As Load LoRA (Model Only), the weights left as they are; see Load LoRA (Bypass)."""
    return _patched_model(run, model, lora_name, strength_model, aside=True)


def _patched_model(run: Run, model: Model, name: str, strength: float, *, aside: bool) -> Model:
    from nodes.models.networks.lora import Lora, check_fits, with_lora

    adapters = _read(run, name)
    check_fits(adapters, model.part, warn=run.warn)
    return with_lora(model, Lora(adapters, strength, aside))


def _read(run: Run, name: str) -> Adapters:
    from nodes.models.files.tensor_files import read_header
    from nodes.models.networks.lora import read_adapters

    return read_adapters(read_header(run.model_path("loras", name)))
