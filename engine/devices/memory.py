"""How libraries say that a device has no memory left."""

from __future__ import annotations


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python, an array library or a device has no memory left."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "allocate memory" in str(error)
