"""The flags that say which results are kept."""

from __future__ import annotations

import argparse

from engine.store.cache_policy import ALL_THAT_FITS, CachePolicy

__all__ = ["ALL_THAT_FITS", "CachePolicy", "add_caching", "keeping"]


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
        help="keep only the results of N nodes, those that were used last; 0 keeps those of the "
        "latest jobs, as --cache-classic does",
    )
    group.add_argument("--cache-none", action="store_true", help="compute everything anew")


def keeping(given: argparse.Namespace) -> CachePolicy:
    """What the flags say.

    A job's own results are never too many for an LRU cache of the protocol: with a size of 0 it
    drops them when another job begins that does not need them.
    """
    if given.cache_none:
        return CachePolicy(max_results=0)
    return CachePolicy(
        latest_jobs_only=given.cache_classic or given.cache_lru == 0,
        max_results=given.cache_lru or None,
    )


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) < 10**9:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of results, 0 or more")
