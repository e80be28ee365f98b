"""The text encoders of CLIP that files hold, read from their headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nodes.models.families.clip_layout import clip_layout
from nodes.models.families.family import TEXT_ENCODER, Encoder
from nodes.models.families.registry import FAMILIES
from nodes.models.files.pieces import NetworkSource, Pieces, below, checked, placed
from nodes.models.files.tensor_files import Header, ModelFileError, joined, read_header
from nodes.models.files.unfit import encoder_complaint
from nodes.models.text.tokenizers import PUBLISHED

WIDTHS = {768: "clip_l", 1024: "clip_h", 1280: "clip_g"}
"""Which text encoder of CLIP a file of its own holds, by the width of its vectors."""
ENCODER_TITLES = {"clip_l": "CLIP-L", "clip_g": "CLIP-G", "clip_h": "CLIP-H"}


@dataclass(frozen=True, eq=False)
class TextEncoderSource:
    """The text encoders of a model.

    Attributes:
        source: the weights of all, each name with the encoder's in front; its config has one for
            each encoder that is there.
        encoders: what is taken from each.
        tokenizers: folder of each encoder's vocabulary, by its name.
    """

    source: NetworkSource
    encoders: tuple[Encoder, ...]
    tokenizers: Mapping[str, Path] = field(repr=False)


def read_text_encoders(paths: Sequence[Path]) -> TextEncoderSource:
    """The text encoders that files of their own hold, of one family together.

    Raises:
        ModelFileError: a file holds none that is supported, or they belong to no family.
    """
    headers = {f"{number}:": read_header(path) for number, path in enumerate(paths)}
    found: dict[str, tuple[Pieces, Mapping[str, Any]]] = {}
    for begin, header in headers.items():
        known = clip_encoders(header)
        if not known:
            raise ModelFileError(encoder_complaint(header.path, header.shapes))
        for name, (pieces, config) in known.items():
            found[name] = placed(pieces, "", begin), config
    family = next((f for f in FAMILIES if {e.name for e in f.encoders} == found.keys()), None)
    if family is None:
        there = " and ".join(ENCODER_TITLES[name] for name in sorted(found))
        raise ModelFileError(
            f"{', '.join(str(path) for path in paths)}: {there} together are the text encoders of "
            "no model that can be loaded here; SDXL has CLIP-L and CLIP-G"
        )
    header = joined(headers)
    return text_source(header, family.encoders, found, {e.name: PUBLISHED for e in family.encoders})


def clip_encoders(header: Header) -> dict[str, tuple[Pieces, Mapping[str, Any]]]:
    """The text encoders of CLIP in a file: name -> its pieces and config."""
    found: dict[str, tuple[Pieces, Mapping[str, Any]]] = {}
    places = {
        prefix: encoder
        for family in FAMILIES
        for encoder in family.encoders
        for prefix in encoder.prefixes
    }
    for prefix in (*places, "transformer.", "model.", ""):
        own = below(header.shapes, prefix)
        layout = clip_layout(own, "gelu") if own else None
        name = None if layout is None else WIDTHS.get(layout.width)
        if layout is not None and name is not None and name not in found:
            activation = next(e.activation for f in FAMILIES for e in f.encoders if e.name == name)
            config = {**layout.config, "hidden_act": activation}
            found[name] = placed(layout.pieces, "", prefix), config
    return found


def checkpoint_text(header: Header, encoders: Sequence[Encoder]) -> TextEncoderSource:
    """The text encoders of a family that a checkpoint holds; some may be missing."""
    found: dict[str, tuple[Pieces, Mapping[str, Any]]] = {}
    for encoder in encoders:
        for prefix in encoder.prefixes:
            own = below(header.shapes, prefix)
            layout = clip_layout(own, encoder.activation) if own else None
            if layout is not None:
                found[encoder.name] = placed(layout.pieces, "", prefix), layout.config
                break
    return text_source(header, encoders, found, {e.name: PUBLISHED for e in encoders})


def text_source(
    header: Header,
    encoders: Sequence[Encoder],
    found: Mapping[str, tuple[Pieces, Mapping[str, Any]]],
    tokenizers: Mapping[str, Path],
) -> TextEncoderSource:
    """Some text encoders of CLIP together.

    Args:
        header: of the file, or of several together.
        encoders: what is taken from each; one that is not among those `found` is missing.
        found: the pieces and the config of each, by its name.
        tokenizers: folder of each one's vocabulary, by its name.
    """
    pieces: dict[str, Any] = {}
    config: dict[str, Any] = {}
    for encoder in encoders:
        if encoder.name in found:
            own, config[encoder.name] = found[encoder.name]
            pieces |= placed(own, f"{encoder.name}.", "")
    checked(header.path, header.shapes, pieces)
    return TextEncoderSource(
        NetworkSource(header, pieces, "", config, TEXT_ENCODER), tuple(encoders), tokenizers
    )
