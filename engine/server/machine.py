"""What the server process itself can tell of the machine."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version


@dataclass(frozen=True)
class Machine:
    """The machine now; memory in bytes, 0 where the system does not tell."""

    version: str
    os: str
    python: str
    memory: int
    memory_free: int


def look() -> Machine:
    """The machine as it is now."""
    page = _sysconf("SC_PAGE_SIZE")
    return Machine(
        version=version("soundstage"),
        os=os.name,
        python=platform.python_version(),
        memory=page * _sysconf("SC_PHYS_PAGES"),
        memory_free=page * _sysconf("SC_AVPHYS_PAGES"),
    )


def _sysconf(name: str) -> int:
    try:
        return os.sysconf(name)
    except (AttributeError, OSError, ValueError):
        return 0
