"""What is known of Kokoro's voices without its files."""

from __future__ import annotations

import re

SAMPLE_RATE = 24_000
SLOWEST, FASTEST = 0.5, 2.0

# By the first letter of a voice's name.
LANGUAGES = {
    "a": "American English",
    "b": "British English",
    "e": "Spanish",
    "f": "French",
    "h": "Hindi",
    "i": "Italian",
    "j": "Japanese",
    "p": "Brazilian Portuguese",
    "z": "Mandarin Chinese",
}

VOICES = tuple(
    """
    af_heart af_alloy af_aoede af_bella af_jessica af_kore af_nicole af_nova af_river af_sarah
    af_sky am_adam am_echo am_eric am_fenrir am_liam am_michael am_onyx am_puck am_santa
    bf_alice bf_emma bf_isabella bf_lily bm_daniel bm_fable bm_george bm_lewis
    ef_dora em_alex em_santa ff_siwis hf_alpha hf_beta hm_omega hm_psi if_sara im_nicola
    jf_alpha jf_gongitsune jf_nezumi jf_tebukuro jm_kumo pf_dora pm_alex pm_santa
    zf_xiaobei zf_xiaoni zf_xiaoxiao zf_xiaoyi zm_yunjian zm_yunxi zm_yunxia zm_yunyang
    """.split()  # noqa: SIM905 - as a list literal it fills the screen
)

_PART = re.compile(r"\s*([^()+\s]*)\s*(?:\(\s*([^()]*?)\s*\))?\s*")


def shares(voice: str) -> dict[str, float]:
    """The voices of "af_heart(2)+bf_emma(1)", and the share of each; one voice is a mix of one.

    Raises:
        ValueError: an unknown voice or a wrong weight; says which part.
    """
    weights: dict[str, float] = {}
    for part in voice.split("+"):
        found = _PART.fullmatch(part)
        name = found[1] if found else part.strip()
        if found is None or name not in VOICES:
            within = f" in {voice!r}" if "+" in voice else ""
            raise ValueError(f"there is no voice {name!r}{within}; there is {', '.join(VOICES)}")
        weights[name] = weights.get(name, 0.0) + _weight(part.strip(), found[2])
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def _weight(part: str, written: str | None) -> float:
    if written is None:
        return 1.0
    if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?|\.\d{1,6}", written, re.ASCII) or not float(written):
        raise ValueError(f"the weight of {part!r} is no number above 0; write it as af_heart(2)")
    return float(written)
