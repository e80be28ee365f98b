"""Nodes that say where a conditioning counts, when, and with what hooks, all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from engine import Choice, Range, Tooltip, node
from nodes.conditioning import Negative, Pair, Positive, Strength
from nodes.sockets import Conditioning, Hooks, Mask, TimestepsRange

if TYPE_CHECKING:
    from collections.abc import Sequence

CATEGORY = "advanced/hooks/cond single"
PAIRS = "advanced/hooks/cond pair"
Text = Annotated[Conditioning, Tooltip("The text.")]
Area = Annotated[
    str,
    Choice(("default", "mask bounds")),
    Tooltip("mask bounds: only the rectangle about the mask is drawn for this text."),
]
Where = Annotated[Mask | None, Tooltip("Where the text counts; everywhere without it.")]
With = Annotated[Hooks | None, Tooltip("Changes of weights for it, beside those it has.")]
When = Annotated[TimestepsRange | None, Tooltip("Of the sampling; all of it without it.")]
Percent = Annotated[float, Range(0.0, 1.0, 0.001)]


@node(
    "ConditioningSetProperties",
    category=CATEGORY,
    display_name="Cond Set Props",
    experimental=True,
)
def set_properties(
    *,
    cond_NEW: Text,
    strength: Strength = 1.0,
    set_cond_area: Area,
    mask: Where = None,
    hooks: With = None,
    timesteps: When = None,
) -> Conditioning:
    """A text for a part of the picture and of the sampling, with changes of weights."""
    return _placed(cond_NEW, strength, set_cond_area, mask, hooks, timesteps)


@node(
    "ConditioningSetPropertiesAndCombine",
    category=CATEGORY,
    display_name="Cond Set Props Combine",
    experimental=True,
)
def set_properties_and_combine(
    *,
    cond: Annotated[Conditioning, Tooltip("Another text, which stays as it is.")],
    cond_NEW: Text,
    strength: Strength = 1.0,
    set_cond_area: Area,
    mask: Where = None,
    hooks: With = None,
    timesteps: When = None,
) -> Conditioning:
    """A text for a part of the picture and of the sampling, beside another."""
    return [*cond, *_placed(cond_NEW, strength, set_cond_area, mask, hooks, timesteps)]


@node(
    "PairConditioningSetProperties",
    category=PAIRS,
    display_name="Cond Pair Set Props",
    experimental=True,
)
def set_pair(
    *,
    positive_NEW: Positive,
    negative_NEW: Negative,
    strength: Strength = 1.0,
    set_cond_area: Area,
    mask: Where = None,
    hooks: With = None,
    timesteps: When = None,
) -> Pair:
    """What is wanted and what is not, for a part of the picture and of the sampling."""
    said = strength, set_cond_area, mask, hooks, timesteps
    return Pair(_placed(positive_NEW, *said), _placed(negative_NEW, *said))


@node(
    "PairConditioningSetPropertiesAndCombine",
    category=PAIRS,
    display_name="Cond Pair Set Props Combine",
    experimental=True,
)
def set_pair_and_combine(
    *,
    positive: Positive,
    negative: Negative,
    positive_NEW: Positive,
    negative_NEW: Negative,
    strength: Strength = 1.0,
    set_cond_area: Area,
    mask: Where = None,
    hooks: With = None,
    timesteps: When = None,
) -> Pair:
    """What is wanted and what is not for a part of the picture, beside another such pair."""
    said = strength, set_cond_area, mask, hooks, timesteps
    return Pair(
        [*positive, *_placed(positive_NEW, *said)], [*negative, *_placed(negative_NEW, *said)]
    )


def _placed(
    conditioning: Conditioning,
    strength: float,
    area: str,
    mask: Mask | None,
    hooks: Hooks | None,
    timesteps: TimestepsRange | None,
) -> Conditioning:
    """A conditioning with what is given of these; the strength is the mask's where there is one."""
    said: dict[str, Any] = {}
    if mask is not None:
        said["mask"] = mask.reshape(-1, *mask.shape[-2:])
        said |= {"set_area_to_bounds": area != "default", "mask_strength": strength}
    elif strength != 1:
        said["strength"] = strength
    if timesteps is not None:
        said["start_percent"], said["end_percent"] = timesteps
    return _hooked([(text, {**options, **said}) for text, options in conditioning], hooks)


def _hooked(
    conditioning: Sequence[tuple[Any, dict[str, Any]]], hooks: Hooks | None
) -> Conditioning:
    if hooks is None:
        return [*conditioning]
    return [
        (text, {**options, "hooks": (*options.get("hooks", ()), *hooks)})
        for text, options in conditioning
    ]


def _default(conditioning: Conditioning, hooks: Hooks | None) -> Conditioning:
    return _hooked([(text, {**options, "default": True}) for text, options in conditioning], hooks)


@node(
    "ConditioningSetDefaultCombine",
    category=CATEGORY,
    display_name="Cond Set Default Combine",
    experimental=True,
)
def set_default(
    *,
    cond: Text,
    cond_DEFAULT: Annotated[Conditioning, Tooltip("What counts where no other text does.")],
    hooks: With = None,
) -> Conditioning:
    """A text for what others leave of the picture and of the sampling."""
    return [*cond, *_default(cond_DEFAULT, hooks)]


@node(
    "PairConditioningSetDefaultCombine",
    category=PAIRS,
    display_name="Cond Pair Set Default Combine",
    experimental=True,
)
def set_default_pair(
    *,
    positive: Positive,
    negative: Negative,
    positive_DEFAULT: Annotated[Positive, Tooltip("Wanted where no other text counts.")],
    negative_DEFAULT: Annotated[Negative, Tooltip("Not wanted where no other text counts.")],
    hooks: With = None,
) -> Pair:
    """What is wanted and what is not, for what others leave of the picture and of the sampling."""
    return Pair(
        [*positive, *_default(positive_DEFAULT, hooks)],
        [*negative, *_default(negative_DEFAULT, hooks)],
    )


@node(
    "PairConditioningCombine", category=PAIRS, display_name="Cond Pair Combine", experimental=True
)
def combine_pairs(
    *, positive_A: Positive, negative_A: Negative, positive_B: Positive, negative_B: Negative
) -> Pair:
    """Two pairs of what is wanted and what is not, mixed where they overlap."""
    return Pair([*positive_A, *positive_B], [*negative_A, *negative_B])


class Ranges(NamedTuple):
    """A part of the sampling, and what is before and after it."""

    TIMESTEPS_RANGE: TimestepsRange
    BEFORE_RANGE: TimestepsRange
    AFTER_RANGE: TimestepsRange


@node(
    "ConditioningTimestepsRange",
    category="advanced/hooks",
    display_name="Timesteps Range",
    experimental=True,
)
def timesteps_range(
    *,
    start_percent: Annotated[Percent, Tooltip("Of the sampling; 0 is pure noise.")] = 0.0,
    end_percent: Annotated[Percent, Tooltip("Of the sampling; 1 is the picture.")] = 1.0,
) -> Ranges:
    """A part of the sampling, for texts that count only then."""
    return Ranges((start_percent, end_percent), (0.0, start_percent), (end_percent, 1.0))
