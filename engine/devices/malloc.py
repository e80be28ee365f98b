"""Tunes the C library's allocator."""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8  # names of malloc.h, for mallopt(3)


def tune_allocator(most: int, largest: int) -> None:
    """Keep freed memory for its next use, rather than give it back to the system at once.

    A buffer of some hundred kilobytes, as zlib and every read of a socket take, otherwise comes
    from the system each time, a fault for each of its pages. In effect with glibc alone; before
    other threads begin.

    Args:
        most: bytes that may wait at the end of the heap.
        largest: blocks above this many bytes are mapped and given back one by one; glibc takes
            up to 32 MiB.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(TRIM_THRESHOLD, most)
    mallopt(MMAP_THRESHOLD, largest)
    mallopt(ARENA_MAX, 1)  # what a thread's own arena has no use for is unmapped at once
