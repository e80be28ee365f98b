"""Nodes that are heard while they work, and one whose weights take a moment to load."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from engine import Socket, Step, Steps, node

LOADING_SECONDS = 0.02


@node("Hum", category="test")
def hum(*, tones: int = 3, seconds: float = 0.0) -> Steps[int]:
    """Sound once a step, then work on in silence for some seconds."""
    for index in range(tones):
        tone = b"tone %d" % index
        yield Step(index + 1, tones, sound=lambda tone=tone: tone)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield Step(tones, tones)
        time.sleep(0.005)
    return tones


@dataclass(frozen=True)
class Heavy:
    """A handle on weights that take a moment to load."""

    name: str

    @property
    def base(self) -> str:
        """Whose weights."""
        return f"heavy {self.name}"

    @property
    def key(self) -> str:
        """What it computes."""
        return self.base

    def nbytes(self, device: str) -> int:
        """Bytes of the weights."""
        return 10

    def load(self, device: str) -> str:
        """Take a moment."""
        time.sleep(LOADING_SECONDS)
        return device

    def bind(self, loaded: str) -> None:
        """Nothing to patch."""


if TYPE_CHECKING:
    Weights: TypeAlias = Heavy
else:
    Weights = Socket("TEST_WEIGHTS")


@node("FindWeights", category="test")
def find_weights(*, name: str) -> Weights:
    """A handle."""
    return Heavy(name)


@node("UseWeights", category="test", loads=True)
def use_weights(*, weights: Weights) -> str:
    """The name of the weights, once they are loaded."""
    return weights.name
