"""Words get the sounds they have in their sentence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.models.speech.english.additions import AMERICAN, added
from nodes.models.speech.g2p import English, Foreign, UnspeakableText
from nodes.models.speech.phonemes import IDS, split_phonemes, tokens


@pytest.fixture(scope="module")
def american() -> English:
    return English(british=False)


@pytest.fixture(scope="module")
def british() -> English:
    return English(british=True)


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("Hello, world!", "həlˈO, wˈɜɹld!"),
        # small words lean on the next one
        ("the apple, the pear", "ði ˈæpᵊl, ðə pˈɛɹ"),
        ("to eat, to go, to", "tʊ ˈit, tə ɡˌO, tu"),
        ("A dog. Vitamin A.", "ɐ dˈɔɡ. vˈITəmən ˈA."),
        # words that sound by what they are
        ("I read it yesterday, I will read it.", "ˌI ɹˈɛd ɪt jˈɛstəɹdˌA, ˌI wɪl ɹˈid ɪt."),
        ("We live here, a live show", "wi lˈɪv hˈɪɹ, ɐ lˈIv ʃˈO"),
        ("Please record the record", "plˈiz ɹəkˈɔɹd ðə ɹˈɛkəɹd"),
        ("Close the door, it is close", "klˈOz ðə dˈɔɹ, ɪt ɪz klˈOs"),
        ("They refuse the refuse", "ðA ɹəfjˈuz ðə ɹˈɛfjˌus"),
        ("Did you read it? Have you read it?", "dˈɪd ju ɹˈid ɪt? hæv ju ɹˈɛd ɪt?"),
        ("we saw it live", "wi sˈɔ ɪt lˈIv"),
        ("a minute ago", "ɐ mˈɪnət əɡˈO"),
        ("I used to use the wind", "ˌI jˈust tə jˈuz ðə wˈɪnd"),
        # capitals
        ("NASA and the FBI", "nˈæsə ænd ði ˌɛfbˌiˈI"),
        ("two CPUs", "tˈu sˌipˌijˈuz"),
        ("US and us", "jˌuˈɛs ænd ˌʌs"),
        ("IT IS VERY GOOD", "ɪt ɪz vˈɛɹi ɡˈʊd"),
        # endings and parts
        ("the dog's, dogs', James's", "ðə dˈɔɡz, dˈɔɡz, ʤˈAmzᵻz"),
        ("well-known", "wˈɛl nˈOn"),
        ("rezoom the unpullable", "ɹˌizˈum ði ˌʌnpˈʊləbᵊl"),
        ("GitHub and iPhone", "ɡˈɪt hˈʌb ænd ˈI fˈOn"),
        ("who've, that'll", "hˌuv, ðætəl"),
        ("café", "kæfˈA"),
        # marks
        ('"no" (yes) — maybe…', "“nˈO” (jˈɛs) — mˈAbi…"),
        ("Hi 😀!", "hˈI!"),
        # as given by the user
        ("[Kokoro](/kˈOkəɹO/) speaks", "kˈOkəɹO spˈiks"),
        ("[Kokoro](/kˈOkəɹO/)'s wife, [cat](/kˈæt/)s", "kˈOkəɹOz wˈIf, kˈæts"),
        # the dictionary has "used" for "used to" alone
        ("a used car is used to cut", "ɐ jˈuzd kˈɑɹ ɪz jˈuzd tə kˈʌt"),
        ("Used to it. We get used to this", "jˈust tʊ ɪt. wi ɡɛt jˈust tə ðˈɪs"),
        # what the dictionaries lack
        ("Beyoncé, touché, Zoë", "biˈɑnsˌA, tuʃˈA, zˈOi"),
        ("Siobhan's jalapeño", "ʃəvˈɔnz hˌɑləpˈAnjO"),
        # nothing to say
        ("...", ""),
        ("你好 !?", ""),
        ("()", ""),
    ],
)
def test_american(american: English, text: str, phonemes: str):
    assert american.phonemes(text) == phonemes


def test_britain_sounds_otherwise(american: English, british: English):
    assert british.phonemes("the water in the bath") == "ðə wˈɔːtə ɪn ðə bˈɑːθ"
    assert american.phonemes("the water in the bath") == "ðə wˈɔTəɹ ɪn ðə bˈæθ"


def test_every_sound_is_one_the_model_knows(american: English, british: English):
    text = "Zxqv blorptastic Nguyen's snorkelwhackers re-frobnicated façade 1,000,000 @ 5% naïveté."
    for g2p in (american, british):
        assert set(g2p.phonemes(text)) <= set(IDS)
        assert g2p.phonemes(text).count("ˈ") > 8


@settings(deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_gives_sounds_the_model_knows(british: English, text: str):
    assert set(british.phonemes(text)) <= set(IDS)


@settings(deadline=None)
@given(text=st.text(alphabet="aeKdBthoz'-.,!?“”()’ 1$%&", max_size=40))
def test_any_english_gives_sounds_the_model_knows(american: English, text: str):
    assert set(american.phonemes(text)) <= set(IDS)


def test_every_added_word_is_of_sounds_the_model_knows():
    for word in AMERICAN:
        for is_british in (True, False):
            said = added(word, british=is_british)
            assert said, word
            assert set(said) <= set(IDS), word


def test_an_unknown_word_has_one_main_stress(american: English):
    for word in ("blorptastic", "quizzaciously", "frindle", "zorb", "kowalski"):
        assert american.phonemes(word).count("ˈ") == 1


def test_unknown_phonemes_are_refused_by_name(american: English):
    with pytest.raises(UnspeakableText, match="phonemes /ka%t/ of 'cat' hold '%'"):
        american.phonemes("a [cat](/ka%t/)")


def test_a_foreign_voice_wants_phonemes():
    spanish = Foreign("ef_dora", "Spanish")
    assert spanish.phonemes("[hola](/ˈola/), [mundo](/mˈundo/)!") == "ˈola, mˈundo!"
    with pytest.raises(UnspeakableText, match=r"voice ef_dora speaks Spanish.*'mundo'"):
        spanish.phonemes("[hola](/ˈola/) mundo")


def test_tokens_are_the_published_ones():
    assert tokens("həlˈO!") == [50, 83, 54, 156, 31, 5]
    assert len(IDS) == 114
    assert max(IDS.values()) == 177


def test_long_phonemes_are_cut_at_a_breath():
    said = "wˈʌn tˈu θɹˈi, fˈɔɹ fˈIv. " * 60
    pieces = list(split_phonemes(said))
    assert all(len(piece) <= 510 for piece in pieces)
    assert " ".join(pieces) == said.strip()
    assert all(piece.endswith(".") for piece in pieces)
    assert [len(piece) for piece in split_phonemes("a" * 1100)] == [510, 510, 80]
