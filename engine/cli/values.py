"""What stands behind flags: read, or refused with what is wrong."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path


def path(text: str) -> Path:
    """A path; ~ is the home of the user."""
    return Path(text).expanduser()


def folder(text: str) -> Path:
    """An absolute path."""
    return path(text).absolute()


def front_end(text: str) -> Path:
    """A folder with a page in it."""
    found = folder(text)
    if (found / "index.html").is_file():
        return found
    raise argparse.ArgumentTypeError(f"{text!r} is no folder with an index.html in it")


def addresses(text: str) -> tuple[str, ...]:
    """One address, or several with commas."""
    found = tuple(address.strip() for address in text.split(","))
    if all(found):
        return found
    raise argparse.ArgumentTypeError(f"{text!r} is no address, nor several with commas")


def one_of(words: Sequence[str]) -> Callable[[str], str]:
    """One of some words, also where the environment says it."""

    def word(text: str) -> str:
        if text.lower() in words:
            return text.lower()
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(words)}")

    return word


def port(text: str) -> int:
    """The number of a port."""
    if text.isascii() and text.isdigit() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port (0 to 65535)")


def size(text: str) -> float:
    """A size in MB."""
    try:
        megabytes = float(text)
    except ValueError:
        megabytes = 0.0
    if 0 < megabytes < float("inf"):
        return megabytes
    raise argparse.ArgumentTypeError(f"{text!r} is no size in MB")


def seconds(text: str) -> float:
    """A time in seconds, up to a day."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if 0 <= found <= 24 * 3600:
        return found
    raise argparse.ArgumentTypeError(f"{text!r} is no time in seconds, 0 to 86400")


def count(text: str) -> int:
    """How many, at least one."""
    if text.isascii() and text.isdigit() and 0 < int(text) < 10**9:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of jobs, 1 or more")


def devices(text: str) -> str:
    """Numbers of devices, with commas."""
    if all(part.isascii() and part.isdigit() for part in text.split(",")):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is no device, nor several with commas")


def server(text: str) -> str:
    """The address of a service."""
    if text.startswith(("http://", "https://")):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} does not start with http:// or https://")
