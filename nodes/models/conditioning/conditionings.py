"""Conditionings put together and mixed: lists of a text's vectors [1, tokens, width] and a dict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from nodes.models.files.tensor_files import ModelFileError, TensorFile, read_header

Conditioning: TypeAlias = list[tuple[Tensor, dict[str, Any]]]
POOLED = "pooled_output"
TEXT = "conditioning"
OPTIONS = "conditioning_options"


def read(path: Path) -> Conditioning:
    """A conditioning that a safetensors file holds.

    The tensor "conditioning" is the text, all others are options; numbered ones, "x.0", "x.1", make
    a list. What is no tensor stands in the file's metadata as JSON, under "conditioning_options".

    Raises:
        ModelFileError: it holds none.
    """
    header = read_header(path)
    if TEXT not in header.shapes:
        raise ModelFileError(
            f"{path}: holds no tensor {TEXT!r}; a saved conditioning has one, this is another file"
        )
    try:
        options: dict[str, Any] = dict(json.loads(header.metadata.get(OPTIONS, "{}")))
    except (ValueError, TypeError) as error:
        raise ModelFileError(f"{path}: its {OPTIONS} are no JSON object ({error})") from None
    file = TensorFile(header)
    lists: dict[str, dict[int, Tensor]] = {}
    for name in header.shapes:
        stem, _, number = name.rpartition(".")
        if stem and number.isdecimal():
            lists.setdefault(stem, {})[int(number)] = file[name]
        elif name != TEXT:
            options[name] = file[name]
    options |= {stem: [tensors[n] for n in sorted(tensors)] for stem, tensors in lists.items()}
    return [(file[TEXT], options)]


def concat(first: Sequence[Sequence[Any]], second: Sequence[Sequence[Any]]) -> Conditioning:
    """Each of the first with the first of the second behind it."""
    after: Tensor = second[0][0]
    return [(torch.cat([text, after], dim=1), dict(options)) for text, options in first]


def average(
    first: Sequence[Sequence[Any]], second: Sequence[Sequence[Any]], share: float
) -> Conditioning:
    """Each of the first mixed with the first of the second, which is cut or filled to fit.

    `share` is how much of the first there is; what else belongs to it stays.
    """
    other, other_options = second[0]
    return [
        _mixed(text, dict(options), other, other_options.get(POOLED), share)
        for text, options in first
    ]


def _mixed(
    text: Tensor, options: dict[str, Any], other: Tensor, other_pooled: Tensor | None, share: float
) -> tuple[Tensor, dict[str, Any]]:
    missing = max(0, text.shape[1] - other.shape[1])
    fitted = torch.nn.functional.pad(other, (0, 0, 0, missing))[:, : text.shape[1]]
    pooled: Tensor | None = options.get(POOLED, other_pooled)
    if pooled is not None and other_pooled is not None:
        options[POOLED] = pooled * share + other_pooled * (1 - share)
    elif pooled is not None:
        options[POOLED] = pooled
    return text * share + fitted * (1 - share), options


def zero_out(conditioning: Sequence[Sequence[Any]]) -> Conditioning:
    """The same shapes, all zero."""
    made: Conditioning = []
    for text, options in conditioning:
        pooled: Tensor | None = options.get(POOLED)
        zero = {} if pooled is None else {POOLED: torch.zeros_like(pooled)}
        made.append((torch.zeros_like(text), {**options, **zero}))
    return made
