"""Room in memory for what is about to be made."""

from __future__ import annotations

import os
from contextlib import suppress
from math import prod
from pathlib import Path

SMALL = 256 << 20
"""Bytes that are not checked."""
FLOAT = 4
"""Bytes of one number of a picture, a mask or a latent."""
MEMORY = Path("/proc/meminfo")
GROUP = Path("/sys/fs/cgroup/memory.max")
"""What a container may use."""


class TooLarge(ValueError):
    """More memory is needed than there is; the text says how much, and what to do."""


def ask_for(what: str, *sizes: float, item: int = FLOAT) -> None:
    """Check that there is memory for an array, before it is made.

    Args:
        what: it is, in a word or two: "pictures".
        sizes: its shape.
        item: bytes of one number in it.

    Raises:
        TooLarge: it is larger than the memory that is available.
    """
    wanted = prod(sizes) * item
    if wanted <= SMALL:
        return
    limit = available()
    if wanted > limit:
        shape = " x ".join(f"{size:g}" if size < 1e6 else f"{size:.3g}" for size in sizes)
        raise TooLarge(
            f"{what} of {shape} numbers want {readable(wanted)} of memory, and {readable(limit)} "
            "are there: make it smaller, or make fewer at once"
        )


def available(device: str = "cpu") -> int:
    """Bytes of memory that a program can get now on a device, as torch names it.

    Those of file caches on a CPU, and those that torch holds in reserve on a GPU, are included.
    """
    if device != "cpu":
        import torch

        reserve = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + reserve
    page = os.sysconf("SC_PAGE_SIZE")
    found = [os.sysconf("SC_PHYS_PAGES") * page]
    with suppress(OSError, ValueError, LookupError):
        rows = dict(line.split(":") for line in MEMORY.read_text().splitlines())
        found.append(int(rows["MemAvailable"].split()[0]) * 1024)
    with suppress(OSError, ValueError):
        found.append(int(GROUP.read_text()))  # "max" where there is no limit
    return min(found)


def readable(size: float) -> str:
    """Bytes as people read them."""
    size /= 1 << 20
    for unit in ("MiB", "GiB", "TiB", "PiB"):
        if size < 1000:
            return f"{size:,.1f} {unit}"
        size /= 1024
    return f"{size:,.3g} EiB"
