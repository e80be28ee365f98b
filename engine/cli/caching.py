"""The flags that say which results are kept."""

from __future__ import annotations

import argparse

from engine.store.keeping import ALL_THAT_FITS, Keeping

__all__ = ["ALL_THAT_FITS", "Keeping", "add_caching", "keeping"]


def add_caching(parser: argparse.ArgumentParser) -> None:
    """Add the flags; without one, what fits into a share of memory and disk is kept."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--cache-classic", action="store_true", help="keep only the results of the latest jobs"
    )
    group.add_argument(
        "--cache-lru",
        type=_number,
        metavar="N",
        help="keep only the results of N nodes, those that were used last",
    )
    group.add_argument("--cache-none", action="store_true", help="compute everything anew")


def keeping(given: argparse.Namespace) -> Keeping:
    """What the flags say."""
    return Keeping(latest=given.cache_classic, most=0 if given.cache_none else given.cache_lru)


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 10**9:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of results, 1 or more")
