"""The text encoders other than CLIP that a file holds, alone or in a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nodes.models.families.language_layout import LanguageLayout, Shapes
from nodes.models.families.llm_layout import llm_layout
from nodes.models.families.t5_layout import t5_layout
from nodes.models.files.pieces import below, placed

ALONE = ("", "transformer.", "text_encoder.")
"""What the names of a text encoder in a file of its own may have in front."""
IN_CHECKPOINT = "text_encoders."
"""Begins the names of text encoders in a checkpoint, before that of the encoder."""
WRAPPED = "transformer."


def language_layouts(shapes: Shapes) -> list[LanguageLayout]:
    """The layouts of all text encoders other than CLIP in a file; names of pieces are whole."""
    found: list[LanguageLayout] = []
    for prefix in _prefixes(shapes):
        own = below(shapes, prefix)
        if (layout := t5_layout(own) or llm_layout(own)) is not None:
            found.append(replace(layout, pieces=placed(layout.pieces, "", prefix)))
    return found


def _prefixes(shapes: Shapes) -> Sequence[str]:
    """What names may have in front, of each text encoder that may be there."""
    inside: dict[str, None] = {}
    for name in shapes:
        if name.startswith(IN_CHECKPOINT):
            encoder = name.removeprefix(IN_CHECKPOINT).partition(".")[0]
            inside[f"{IN_CHECKPOINT}{encoder}."] = None
    if inside:
        wrapped = {prefix + WRAPPED for prefix in inside}
        return [
            prefix + WRAPPED if any(n.startswith(prefix + WRAPPED) for n in shapes) else prefix
            for prefix in inside
            if prefix not in wrapped
        ]
    return [prefix for prefix in ALONE if not prefix or any(n.startswith(prefix) for n in shapes)]
