"""Nodes that change models by LoRAs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

from engine import Artifact, Choice, Files, Range, Run, Tooltip, node
from nodes.models.files.unfit import unfit_lora
from nodes.sockets import Clip, LoraModel, Model
from nodes.widgets import Prefix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodes.models.files.checkpoints import NetworkSource
    from nodes.models.files.writing import Entry
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
    from nodes.models.networks.lora import Lora, with_lora

    adapters = _fitting(run, name, model.source, *clip.sources)
    of_clip = Lora(adapters, strength_clip, aside)
    return Patched(
        MODEL=with_lora(model, Lora(adapters, strength_model, aside)),
        CLIP=clip.changed(
            lambda source: [of_clip] if strength_clip and adapters.targets(source) else (),
            clip.hooks,
        ),
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
    from nodes.models.networks.lora import Lora, with_lora

    adapters = _fitting(run, name, model.source)
    return with_lora(model, Lora(adapters, strength, aside))


def _fitting(run: Run, name: str, *parts: NetworkSource) -> Adapters:
    """The adapters of a file for some networks.

    Raises:
        ModelFileError: there are none, or for other models; names the input.
    """
    from nodes.models.files.tensor_files import ModelFileError, read_header
    from nodes.models.networks.lora import check_fits, read_adapters

    try:
        adapters = read_adapters(read_header(run.model_path("loras", name)))
        check_fits(adapters, *parts, warn=run.warn)
    except ModelFileError as error:
        raise ModelFileError(f"lora_name: {error}") from error
    return adapters


@node("LoraModelLoader", category="loaders", display_name="Load LoRA Model")
def use_lora_model(
    run: Run,
    *,
    model: ToChange,
    lora: Annotated[LoraModel, Tooltip("As a node gives it that trains one.")],
    strength_model: OfModel = 1.0,
    bypass: Annotated[bool, Tooltip("Leave the weights as they are, as Load LoRA (Bypass).")]
    | None = False,
) -> Model:
    """Change a denoiser by a LoRA that is not in a file."""
    from nodes.models.networks.lora import Lora, adapters_of, check_fits, with_lora

    adapters = adapters_of(lora)
    check_fits(adapters, model.source, warn=run.warn)
    return with_lora(model, Lora(adapters, strength_model, bool(bypass)))


@node("SaveLoRANode", category="loaders", display_name="Save LoRA Weights")
def save_lora_model(
    run: Run,
    *,
    lora: LoraModel,
    prefix: Prefix = "loras/ComfyUI_trained_lora",
    steps: Annotated[int, Tooltip("Of the training, for the name of the file.")] | None = None,
) -> Artifact:
    """Keep a LoRA in a file, which Load LoRA offers then."""
    from nodes.models.files.writing import entry

    stem = prefix if steps is None else f"{prefix}_{steps}_steps"
    return _saved(run, stem, [entry(name, tensor) for name, tensor in lora.items()])


@node("LoraSave", category="loaders", display_name="Extract and Save LoRA", experimental=True)
def extract_lora(
    run: Run,
    *,
    filename_prefix: Prefix = "loras/ComfyUI_extracted_lora",
    rank: Annotated[int, Range(1, 4096, 1), Tooltip("Larger is nearer, and a larger file.")] = 8,
    lora_type: Annotated[
        str,
        Choice(("standard", "full_diff")),
        Tooltip("Of that rank, or with whole differences."),
    ],
    bias_diff: Annotated[bool, Tooltip("Keep differences of biases too.")] = True,
    model_diff: Annotated[Model | None, Tooltip("What ModelMergeSubtract gives.")] = None,
    text_encoder_diff: Annotated[Clip | None, Tooltip("What CLIPMergeSubtract gives.")] = None,
) -> Artifact:
    """Keep the difference of two models as a LoRA.

    Raises:
        ValueError: nothing is connected, or no difference.
    """
    from nodes.models.networks.extracting import extracted
    from nodes.models.text.text_encoder import clip_alone

    text = None if text_encoder_diff is None else clip_alone(text_encoder_diff)
    wanted = None if lora_type == "full_diff" else rank
    given = {"model_diff": model_diff, "text_encoder_diff": text}
    entries: list[Entry] = []
    for name, handle in given.items():
        try:
            entries += [] if handle is None else extracted(handle, wanted, bias=bias_diff)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    if not entries:
        raise ValueError(
            "model_diff, text_encoder_diff: there is no difference to keep; connect "
            "ModelMergeSubtract or CLIPMergeSubtract of two models that differ"
        )
    return _saved(run, filename_prefix, entries)


def _saved(run: Run, prefix: str, entries: Sequence[Entry]) -> Artifact:
    from nodes.models.files.writing import NewFile, texts

    kept = texts({"prompt": run.prompt, **run.extra_pnginfo})
    run.save(prefix, "safetensors", NewFile(entries, kept))
    return Artifact()
