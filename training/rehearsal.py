"""Train on what the sampler visits, so that strong guidance does no harm.

With guidance g the sampler goes to u + g (c - u), where c is the answer for the words and u that
for none. It visits states that noise on a picture never makes, and far too bright ones where u
and c differ much. So, in the last part of the training, the model samples by itself at guidance
from 1 to `STRONGEST`, and learns from the states on the way that the picture to come is the one
that was asked for: with the words, and without them, as the state shows by then which it is.
Where c and u agree, guidance has nothing left to exaggerate. (Training on visited states: Ross et
al. 2011, "DAgger".)
"""

# diffusers annotates its methods only in part:
# pyright: reportUnknownMemberType=false

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from training.denoiser import STEPS, TextToLatent, levels, noise_like, walk

STRONGEST = 10.0
KEPT = 256  # states
LEAST = 0.05  # of sigma^2 / (1 + sigma^2) in the loss: what is missed late weighs no more


@dataclass(frozen=True)
class State:
    """A noisy latent [C, h, w] on the way to `target`, at a timestep, and the words."""

    x: Tensor
    timestep: Tensor
    target: Tensor
    said: str


@dataclass
class Rehearsal:
    """A store of visited states."""

    draw: random.Random = field(default_factory=lambda: random.Random(1))
    states: deque[State] = field(default_factory=lambda: deque[State](maxlen=KEPT))

    @torch.no_grad()
    def visit(self, model: TextToLatent, said: Sequence[str], targets: Tensor) -> None:
        """Let `model` draw what was `said` and keep the states on the way to `targets`."""
        steps = self.draw.randint(6, 12)
        cfg = self.draw.uniform(1, STRONGEST)
        start = noise_like(targets, torch.randn_like(targets))
        last = STEPS - 1
        times = [round(last * (1 - n / steps) - self.draw.random() * 10) for n in range(1, steps)]
        times = [last, *(max(0, time) for time in times)]
        for x, time in list(walk(model, start, said, cfg, times))[:-1]:
            self.states += [
                State(one, time, target, words)
                for one, target, words in zip(x, targets, said, strict=True)
            ]

    def loss(self, model: TextToLatent, count: int, empty: float) -> Tensor:
        """The error on some of the states, `empty` of them without their words."""
        some = self.draw.sample(list(self.states), min(count, len(self.states)))
        x = torch.stack([state.x for state in some])
        timestep = torch.stack([state.timestep for state in some])
        target = torch.stack([state.target for state in some])
        said = ["" if self.draw.random() < empty else state.said for state in some]
        guess = model.clean(x, timestep, model.words(said))
        square = levels(x.device)[timestep][:, None, None, None].square()
        return ((guess - target) ** 2 / (square / (1 + square)).clamp(min=LEAST)).mean()
