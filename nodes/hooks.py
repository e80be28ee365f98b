"""Hooks: changes of weights that conditionings bring, and when they count."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, NamedTuple

from engine import Choice, Files, Range, Run, Tooltip, Widget, node
from nodes.models.files.unfit import unfit_checkpoint, unfit_lora
from nodes.sockets import Clip, HookKeyframes, Hooks

if TYPE_CHECKING:
    from nodes.models.conditioning.hooks import Keyframe, Source

log = logging.getLogger(__name__)

# As nodes.models.conditioning.hooks.EASINGS, which needs torch.
EASINGS = ("linear", "ease_in", "ease_out", "ease_in_out")
HookStrength = Annotated[float, Range(-20.0, 20.0, 0.01)]
OfModel = Annotated[HookStrength, Tooltip("How much the denoiser changes; 0 for not.")]
OfClip = Annotated[HookStrength, Tooltip("How much the text encoder changes; 0 for not.")]
Percent = Annotated[float, Range(0.0, 1.0, 0.001)]
Start = Annotated[Percent, Tooltip("Of the sampling, from here on; 0 is pure noise.")]
End = Annotated[Percent, Tooltip("Of the sampling, up to here.")]
Before = Annotated[Hooks | None, Tooltip("Hooks that count as well.")]
Frames = Annotated[HookKeyframes | None, Tooltip("Keyframes that count as well.")]
More = Annotated[Hooks | None, Tooltip("Hooks that count together with the others.")]
Printed = Annotated[bool, Tooltip("Write them to the log.")]
LoraName = Annotated[
    str, Choice(Files("loras"), judge=unfit_lora), Tooltip("A file in models/loras.")
]
CheckpointName = Annotated[
    str,
    Choice(Files("checkpoints", marker="model_index.json"), judge=unfit_checkpoint),
    Tooltip("A file in models/checkpoints, of the same kind of model."),
]

LORAS = "advanced/hooks/create"
SCHEDULING = "advanced/hooks/scheduling"
COMBINING = "advanced/hooks/combine"


@node("CreateHookLora", category=LORAS, display_name="Create Hook LoRA", experimental=True)
def create_lora_hook(
    run: Run,
    *,
    lora_name: LoraName,
    strength_model: OfModel = 1.0,
    strength_clip: OfClip = 1.0,
    prev_hooks: Before = None,
) -> Hooks:
    """A LoRA that counts for single conditionings."""
    return _lora_hook(run, lora_name, strength_model, strength_clip, prev_hooks)


@node(
    "CreateHookLoraModelOnly",
    category=LORAS,
    display_name="Create Hook LoRA (Model Only)",
    experimental=True,
)
def create_model_lora_hook(
    run: Run,
    *,
    lora_name: LoraName,
    strength_model: OfModel = 1.0,
    prev_hooks: Before = None,
) -> Hooks:
    """A LoRA that counts for single conditionings, in the denoiser alone."""
    return _lora_hook(run, lora_name, strength_model, 0.0, prev_hooks)


def _lora_hook(run: Run, name: str, model: float, text: float, before: Hooks | None) -> Hooks:
    from nodes.models.conditioning.hook_sources import LoraSource
    from nodes.models.files.tensor_files import ModelFileError, read_header
    from nodes.models.networks.lora import read_adapters

    try:
        adapters = read_adapters(read_header(run.model_path("loras", name)))
    except ModelFileError as error:
        raise ModelFileError(f"lora_name: {error}") from error
    return _with(before, LoraSource(adapters), model, text)


@node(
    "CreateHookModelAsLora",
    category=LORAS,
    display_name="Create Hook Model as LoRA",
    experimental=True,
)
def create_checkpoint_hook(
    run: Run,
    *,
    ckpt_name: CheckpointName,
    strength_model: OfModel = 1.0,
    strength_clip: OfClip = 1.0,
    prev_hooks: Before = None,
) -> Hooks:
    """Another checkpoint that counts for single conditionings, as a LoRA would."""
    return _checkpoint_hook(run, ckpt_name, strength_model, strength_clip, prev_hooks)


@node(
    "CreateHookModelAsLoraModelOnly",
    category=LORAS,
    display_name="Create Hook Model as LoRA (Model Only)",
    experimental=True,
)
def create_model_checkpoint_hook(
    run: Run,
    *,
    ckpt_name: CheckpointName,
    strength_model: OfModel = 1.0,
    prev_hooks: Before = None,
) -> Hooks:
    """Another checkpoint's denoiser that counts for single conditionings, as a LoRA would."""
    return _checkpoint_hook(run, ckpt_name, strength_model, 0.0, prev_hooks)


def _checkpoint_hook(run: Run, name: str, model: float, text: float, before: Hooks | None) -> Hooks:
    from nodes.loaders import opened_checkpoint
    from nodes.models.conditioning.hook_sources import ModelSource
    from nodes.models.networks.network import Handle

    found = opened_checkpoint(run.model_path("checkpoints", name))
    texts = (found.CLIP,) if isinstance(found.CLIP, Handle) else ()
    return _with(before, ModelSource((found.MODEL, *texts)), model, text)


def _with(before: Hooks | None, source: Source, model: float, text: float) -> Hooks:
    from nodes.models.conditioning.hooks import Hook

    return (*(before or ()), Hook(source, model, text))


@node("SetHookKeyframes", category=SCHEDULING, display_name="Set Hook Keyframes", experimental=True)
def set_keyframes(*, hooks: Hooks, hook_kf: HookKeyframes | None = None) -> Hooks:
    """Hooks that count more or less in parts of the sampling, in place of any keyframes before."""
    from nodes.models.conditioning.hooks import with_keyframes

    return hooks if hook_kf is None else with_keyframes(hooks, hook_kf)


class Keyframes(NamedTuple):
    """When hooks count, and how much."""

    HOOK_KF: HookKeyframes


@node(
    "CreateHookKeyframe",
    category=SCHEDULING,
    display_name="Create Hook Keyframe",
    experimental=True,
)
def create_keyframe(
    *,
    strength_mult: Annotated[HookStrength, Tooltip("How much the hooks count.")] = 1.0,
    start_percent: Start = 0.0,
    prev_hook_kf: Frames = None,
) -> Keyframes:
    """From a part of the sampling on hooks count so much."""
    from nodes.models.conditioning.hooks import Keyframe

    return Keyframes((*(prev_hook_kf or ()), Keyframe(strength_mult, start_percent)))


@node(
    "CreateHookKeyframesInterpolated",
    category=SCHEDULING,
    display_name="Create Hook Keyframes Interpolated",
    experimental=True,
)
def interpolate_keyframes(
    *,
    strength_start: Annotated[float, Range(0.0, 10.0, 0.001), Tooltip("Of the first.")] = 1.0,
    strength_end: Annotated[float, Range(0.0, 10.0, 0.001), Tooltip("Of the last.")] = 1.0,
    interpolation: Annotated[str, Choice(EASINGS), Tooltip("How it goes from one to the other.")],
    start_percent: Start = 0.0,
    end_percent: Annotated[Percent, Tooltip("Of the sampling, where the last one is.")] = 1.0,
    keyframes_count: Annotated[int, Range(2, 100, 1), Tooltip("How many.")] = 5,
    print_keyframes: Printed = False,
    prev_hook_kf: Frames = None,
) -> Keyframes:
    """Hooks that count more and more, or less and less, over a part of the sampling."""
    from nodes.models.conditioning.hooks import EASINGS, evenly

    ways = (EASINGS[interpolation](n / (keyframes_count - 1)) for n in range(keyframes_count))
    strengths = [strength_start + (strength_end - strength_start) * way for way in ways]
    return _after(prev_hook_kf, evenly(strengths, start_percent, end_percent), print_keyframes)


@node(
    "CreateHookKeyframesFromFloats",
    category=SCHEDULING,
    display_name="Create Hook Keyframes From Floats",
    experimental=True,
)
def list_keyframes(
    *,
    floats_strength: Annotated[
        float | list[float],
        Widget("FLOATS", {"min": -1, "step": 0.001}),
        Tooltip("How much the hooks count: a number, or a list of them."),
    ] = -1,
    start_percent: Start = 0.0,
    end_percent: Annotated[Percent, Tooltip("Of the sampling, where the last one is.")] = 1.0,
    print_keyframes: Printed = False,
    prev_hook_kf: Frames = None,
) -> Keyframes:
    """Hooks that count as much as each of some numbers, one after another.

    Raises:
        ValueError: they are no numbers.
    """
    from nodes.models.conditioning.hooks import evenly

    given = floats_strength if isinstance(floats_strength, list) else [floats_strength]
    try:
        strengths = [float(strength) for strength in given]
    except (TypeError, ValueError):
        raise ValueError(
            "floats_strength: it holds more than numbers; give a list of them"
        ) from None
    return _after(prev_hook_kf, evenly(strengths, start_percent, end_percent), print_keyframes)


def _after(before: HookKeyframes | None, made: list[Keyframe], printed: bool) -> Keyframes:
    if printed:
        for strength, start in made:
            log.info("hook keyframe: %.4g from %.4g of the sampling on", strength, start)
    return Keyframes((*(before or ()), *made))


@node("CombineHooks2", category=COMBINING, display_name="Combine Hooks [2]", experimental=True)
def combine_two(*, hooks_A: More = None, hooks_B: More = None) -> Hooks:
    """Hooks that count together."""
    return _combined(hooks_A, hooks_B)


@node("CombineHooks4", category=COMBINING, display_name="Combine Hooks [4]", experimental=True)
def combine_four(
    *, hooks_A: More = None, hooks_B: More = None, hooks_C: More = None, hooks_D: More = None
) -> Hooks:
    """Hooks that count together."""
    return _combined(hooks_A, hooks_B, hooks_C, hooks_D)


@node("CombineHooks8", category=COMBINING, display_name="Combine Hooks [8]", experimental=True)
def combine_eight(
    *,
    hooks_A: More = None,
    hooks_B: More = None,
    hooks_C: More = None,
    hooks_D: More = None,
    hooks_E: More = None,
    hooks_F: More = None,
    hooks_G: More = None,
    hooks_H: More = None,
) -> Hooks:
    """Hooks that count together."""
    lower = hooks_E, hooks_F, hooks_G, hooks_H
    return _combined(hooks_A, hooks_B, hooks_C, hooks_D, *lower)


def _combined(*given: Hooks | None) -> Hooks:
    return tuple(hook for hooks in given for hook in hooks or ())


@node(
    "SetClipHooks", category="advanced/hooks/clip", display_name="Set CLIP Hooks", experimental=True
)
def set_clip_hooks(
    *,
    clip: Clip,
    apply_to_conds: Annotated[
        bool, Tooltip("What is encoded brings the hooks to the denoiser.")
    ] = True,
    schedule_clip: Annotated[
        bool, Tooltip("Encode texts once for each part of the sampling by the keyframes.")
    ] = False,
    hooks: Annotated[Hooks | None, Tooltip("In place of any before.")] = None,
) -> Clip:
    """Let hooks change a text encoder for what it encodes."""
    from nodes.models.conditioning.hooks import TextHooks

    if hooks is None:
        return clip
    return clip.changed(lambda _: (), TextHooks(hooks, apply_to_conds, schedule_clip))
