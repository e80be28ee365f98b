"""Words and names that the dictionaries lack or give for another sense, in American phonemes."""

from __future__ import annotations

import re
from collections.abc import Mapping

AMERICAN: Mapping[str, str] = {
    "acai": "ˌɑsɑˈi",
    "async": "ˈAsɪŋk",
    "beyoncé": "biˈɑnsˌA",
    "björn": "bjˈɔɹn",
    "chalamet": "ʃˈæləmˌA",
    "cliché": "kliʃˈA",
    "crème": "kɹˈɛm",
    "daenerys": "dənˈɛɹɪs",
    "debian": "dˈɛbiən",
    "dvořák": "dvˈɔɹʒˌɑk",
    "enum": "ˈinəm",
    "fiancé": "fˌiɑnsˈA",
    "fiancée": "fˌiɑnsˈA",
    "gandalf": "ɡˈændˌɔlf",
    "gyllenhaal": "ʤˈɪlənhˌɔl",
    "hermione": "hɜɹmˈIəni",
    "jalapeño": "hˌɑləpˈAnjO",
    "joaquin": "wɑkˈin",
    "khaleesi": "kəlˈisi",
    "kubernetes": "kˌubəɹnˈɛTiz",
    "nguyễn": "nwˈɪn",
    "niamh": "nˈiv",
    "piñata": "pɪnjˈɑTə",
    "renée": "ɹənˈA",
    "résumé": "ɹˈɛzəmˌA",
    "saoirse": "sˈɜɹʃə",
    "señor": "sAnjˈɔɹ",
    "shh": "ʃ",
    "siobhan": "ʃəvˈɔn",
    "soufflé": "suflˈA",
    "são": "sˈW",
    "touché": "tuʃˈA",
    "voldemort": "vˈOldəmˌɔɹt",
    "volodymyr": "vˌOlədˈɪmɪɹ",
    "xi": "ʃˈi",
    "yosemite": "jOsˈɛməTi",
    "zoë": "zˈOi",
    "łódź": "wˈuʤ",
}

_BRITISH = (
    (r"ɜɹ", "ɜː"),
    (r"əɹ(?=[^AIOQWYaiuæɑɒɔəɛɜɪʊʌˈˌ]|$)", "ə"),
    (r"ɔɹ(?=[^AIOQWYaiuæɑɒɔəɛɜɪʊʌˈˌ]|$)", "ɔː"),
    (r"(?<=[ˈˌ])(\w?)([iu])", r"\1\2ː"),
    (r"ɑ", "ɑː"),
    (r"T", "t"),
    (r"O", "Q"),
    (r"æ", "a"),
)


def added(word: str, *, british: bool) -> str | None:
    """Phonemes of a word of this table, in any case; None for others."""
    found = AMERICAN.get(word.lower())
    if found is None or not british:
        return found
    for pattern, replacement in _BRITISH:
        found = re.sub(pattern, replacement, found)
    return found
