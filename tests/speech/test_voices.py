"""Voices and their mixes by name."""

from __future__ import annotations

import numpy as np
import pytest

from nodes.models.speech.kokoro import Kokoro
from nodes.models.speech.voices import shares


def test_a_mix_gives_each_voice_its_share():
    assert shares("af_heart") == {"af_heart": 1}
    assert shares("af_heart(3)+bf_emma(1)") == {"af_heart": 0.75, "bf_emma": 0.25}
    assert shares(" af_heart + bf_emma ") == {"af_heart": 0.5, "bf_emma": 0.5}
    assert shares("af_heart+af_heart") == {"af_heart": 1}


@pytest.mark.parametrize(
    ("voice", "words"),
    [
        ("af_heart(2)+xx_nobody", "no voice 'xx_nobody' in 'af_heart"),
        ("af_heart+", "no voice '' in 'af_heart"),
        ("", "no voice ''"),
        ("af_heart(0)+bf_emma", r"weight of 'af_heart\(0\)'"),
        ("af_heart(x)", r"weight of 'af_heart\(x\)'"),
        ("af_heart(-1)", r"weight of 'af_heart\(-1\)'"),
        ("af_heart(1e999)", "is no number above 0"),
        ("af_heart((2)", "no voice"),
    ],
)
def test_the_wrong_part_of_a_mix_is_named(voice: str, words: str):
    with pytest.raises(ValueError, match=words):
        shares(voice)


def test_the_style_of_a_mix_is_the_mean_of_its_voices(kokoro: Kokoro):
    mixed = kokoro.style("af_heart(3)+bf_emma(1)")
    assert mixed.dtype == np.float32
    wanted = 0.75 * kokoro.style("af_heart") + 0.25 * kokoro.style("bf_emma")
    assert np.allclose(mixed, wanted, atol=1e-6)
