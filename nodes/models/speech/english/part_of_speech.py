"""Part of speech of a word by its neighbours: "to record", "a record".

A few rules over the words on both sides; they only have to choose between the pronunciations that
the dictionary lists for a word.
"""

from __future__ import annotations

from collections.abc import Sequence


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ARTICLES = _words("a an the my your his her its our their no every each another whose")
DETERMINERS = ARTICLES | _words("this that these those some any what which")
QUANTITIES = _words(
    "two three four five six seven eight nine ten many several few all most both more other "
    "new old good great big small first last next best"
)
PREPOSITIONS = _words(
    "of in for with from by on at into about under over through between without within across "
    "near along during as"
)
BEFORE_VERBS = _words(
    "to will would can could should shall may might must do does did don't didn't doesn't can't "
    "cannot won't couldn't wouldn't shouldn't let's please not never always often usually also "
    "i'll you'll he'll she'll it'll we'll they'll i'd you'd we'd they'd and-then gonna"
)
HAVING = _words("have has had having haven't hasn't hadn't i've you've we've they've already")
BEING = _words(
    "is are was were be been being am isn't aren't wasn't weren't i'm you're he's she's it's we're "
    "they're get got that's there's"
)
PLURAL_SUBJECTS = _words("i you we they who people children men women")
SINGULAR_SUBJECTS = _words("he she it")
CONJUNCTIONS = _words(
    "and or but when if because while so then than where how since until before after which who "
    "that ago"
)
OBJECTS = _words("me him them us it her you this that")
PAST = _words("yesterday ago last earlier once when was were had did")


def tags(before: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    """Tags that a word may have, the likeliest first; see `Lexicon.find`.

    Args:
        before: the words before it in its clause, in lower case.
        after: the words behind it, up to the next mark of punctuation.
    """
    pausing = () if after else ("none",)
    return (*pausing, *_part_of_speech(before, after))


def _part_of_speech(before: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    last, earlier = ([*before[::-1], "", ""])[:2]
    if last in HAVING or (earlier in HAVING and last.endswith("ly")):
        return ("vbn", "vbd", "verb")
    if last in BEING:
        return ("vbn", "adj")
    if last in BEFORE_VERBS:
        return ("verb",)
    return _after_subject(before, after) or _in_phrase(last, after[0] if after else "")


def _after_subject(before: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    last, earlier = ([*before[::-1], "", ""])[:2]
    if last not in SINGULAR_SUBJECTS | PLURAL_SUBJECTS:
        return ()
    if earlier in HAVING:
        return ("vbn", "vbd", "verb")  # "have you read it?"
    if earlier in BEFORE_VERBS:
        return ("verb",)  # "did you read it?"
    if last == "it" and earlier and earlier not in CONJUNCTIONS:
        return ()  # "we saw it live"
    if last in SINGULAR_SUBJECTS:
        return ("vbd", "verb")
    return ("verb",) if PAST.isdisjoint([*before, *after]) else ("vbd", "verb")


def _in_phrase(last: str, following: str) -> tuple[str, ...]:
    if last in ARTICLES or last.endswith("'s"):
        return ("noun",) if _ends_phrase(following) else ("adj", "noun")
    if last in PREPOSITIONS or last in QUANTITIES:
        return ("noun",)
    if following in DETERMINERS or following in OBJECTS:
        return ("verb",)
    if last in DETERMINERS:
        return ("noun",)
    if last.endswith("s") and len(last) > 3 and (following in PREPOSITIONS or following == "here"):
        return ("verb",)
    return ()


def _ends_phrase(following: str) -> bool:
    """Whether a noun phrase is over before this word."""
    closing = PREPOSITIONS | BEING | BEFORE_VERBS | HAVING | DETERMINERS | PLURAL_SUBJECTS
    return not following or following in closing or following in CONJUNCTIONS


def determines(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether "that" points at something ("that is", "that!") and so is stressed."""
    return not before and bool(after) and (after[0] in BEING or after[0] in BEFORE_VERBS)
