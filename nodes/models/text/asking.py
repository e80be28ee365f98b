"""What is asked of a T5 or a language model for a prompt, and its answer.

A recipe says by an `Asking` which template the prompt goes into, which tokens of the answer are
dropped, at which layers it is taken, and how it is filled up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nodes.models.text.language_model import LAST, LanguageModel
from nodes.models.text.prompt_weights import parted
from nodes.models.text.seeing import PICTURE, placed

WHOLE = 1 << 30
"""Tokens of a chunk that is never full."""
PLACE = "{}"


@dataclass(frozen=True)
class Asking:
    """What is asked of a text encoder.

    Attributes:
        template: what the prompt is put into, at {}.
        drops: whether the tokens of the template in front of the prompt are left out of the answer.
        layers: see `LanguageModel.states`.
        shortest: tokens that there are at least; padding behind the text fills up.
        longest: tokens that are kept at most; 0: all.
        start: whether the mark that begins a text is put in front, where there is one.
        masked: whether padding is looked at by nothing.
        zeroed: whether the vectors of padding are zeros.
        weights: whether brackets in the prompt are weights; else they are letters.
        empty: stands for a prompt that is empty.
    """

    template: str = PLACE
    drops: bool = False
    layers: tuple[int, ...] = (LAST,)
    shortest: int = 1
    longest: int = 0
    start: bool = True
    masked: bool = False
    zeroed: bool = False
    weights: bool = True
    empty: str = ""


@dataclass(frozen=True)
class Padding:
    """What a user wants of the padding of T5.

    Attributes:
        least: tokens of padding that there are at least.
        shortest: tokens that there are at least; None: as the recipe has it.
    """

    least: int = 0
    shortest: int | None = None


@dataclass(frozen=True, eq=False)
class Answer:
    """What a text encoder makes of a prompt.

    Attributes:
        layers: of each layer that was asked for, [1, tokens, width].
        mask: 1 for text and 0 for padding, whole numbers [1, tokens].
    """

    layers: Sequence[Tensor]
    mask: Tensor

    @property
    def states(self) -> Tensor:
        """The layers side by side, [1, tokens, width of all]."""
        return torch.cat([*self.layers], dim=-1)


def ask(
    model: LanguageModel,
    prompt: str,
    asking: Asking,
    padding: Padding | None = None,
    pictures: Sequence[Tensor] = (),
) -> Answer:
    """The answer of a text encoder to a prompt.

    A weight moves a token's vectors away from, or towards, those of the empty prompt.

    Args:
        model: the text encoder, loaded.
        prompt: what a person wrote.
        asking: what is asked.
        padding: what a user wants of it; None: nothing.
        pictures: float [1, 3, H, W], 0..1, for the marks of pictures in the text.

    Raises:
        ModelFileError: the model lacks a layer, a tokenizer or a vision tower.
    """
    padding = padding or Padding()
    vocabulary = model.vocabulary
    front, _, back = asking.template.partition(PLACE)
    opening = [] if vocabulary.start is None or not asking.start else [vocabulary.start]
    closing = [] if vocabulary.end is None else [vocabulary.end]

    def framed(text: str) -> list[tuple[int, float]]:
        """A text in the template, as tokens with weights."""
        if asking.weights:
            (chunk,) = parted(text, vocabulary.ids, WHOLE)
            inner = [(token, weight) for token, weight in chunk if isinstance(token, int)]
            own = [*_plain(vocabulary.ids(front)), *inner, *_plain(vocabulary.ids(back))]
        else:
            own = _plain(vocabulary.ids(front + text + back))
        framing = [*_plain(opening), *own, *_plain(closing)]
        return framing[: asking.longest] if asking.longest else framing

    pairs = framed(prompt or asking.empty)
    filled = len(pairs) + padding.least
    shortest = asking.shortest if padding.shortest is None else padding.shortest
    tokens = _filled([token for token, _ in pairs], max(filled, shortest), vocabulary.pad)
    weights = torch.ones(len(tokens))
    weights[: len(pairs)] = torch.tensor([weight for _, weight in pairs])
    mask = (torch.arange(len(tokens)) < len(pairs)).long()[None]
    if pictures:
        tokens = placed(tokens, model.seen(pictures))
        more = len(tokens) - mask.shape[1]
        mask = torch.cat([mask.new_ones(1, more), mask], dim=1)
        weights = torch.ones(len(tokens))
    rows, masks = [tokens], mask
    if bool((weights != 1).any()):
        empty = [*opening, *closing]
        rows.append(_filled(empty, len(tokens), vocabulary.pad))
        masks = torch.cat([mask, (torch.arange(len(tokens)) < len(empty)).long()[None]])
    given = masks if asking.masked else None
    found = model.states(rows, asking.layers, given, pictures)
    states = [_weighted(states, weights) for states in found]
    if asking.zeroed:
        states = [one * mask.unsqueeze(-1) for one in states]
    dropped = len(opening) + len(vocabulary.ids(front)) if asking.drops else 0
    return Answer([one[:, dropped:] for one in states], mask[:, dropped:])


def _plain(ids: Sequence[int]) -> list[tuple[int, float]]:
    return [(id, 1.0) for id in ids]


def _filled(tokens: Sequence[int], length: int, pad: int) -> list[int]:
    return [*tokens, *[pad] * (length - len(tokens))][: max(length, len(tokens))]


def _weighted(states: Tensor, weights: Tensor) -> Tensor:
    """The first of two texts, moved by weights away from the second; [1, tokens, width]."""
    if len(states) == 1:
        return states
    text, empty = states[:1], states[1:]
    factors = weights[None, :, None]
    return torch.where(factors == 1, text, (text - empty) * factors + empty)


__all__ = ["PICTURE", "Answer", "Asking", "Padding", "ask"]
