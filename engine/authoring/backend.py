"""What devices a worker has, asked of the packs' own backends."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol


class Backend(Protocol):
    """Knows accelerators and their memory; a pack brings one (`BACKEND` in its package)."""

    def accelerators(self) -> list[str]:
        """Devices beside the CPU, as torch spells them: ["cuda:0"]."""
        ...

    def memory(self, device: str) -> tuple[int, int]:
        """Bytes of memory of a device: (total, free)."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """Versions and device names, for /system_stats."""
        ...

    def warm(self) -> None:
        """Do slow imports ahead of the first job."""
        ...

    def release(self) -> None:
        """Give cached memory back to the devices."""
        ...


class CpuBackend:
    """No accelerator: what the standard library knows."""

    def accelerators(self) -> list[str]:
        """None."""
        return []

    def memory(self, device: str) -> tuple[int, int]:
        """Of the machine, whatever `device` says."""
        page = os.sysconf("SC_PAGE_SIZE")
        return os.sysconf("SC_PHYS_PAGES") * page, os.sysconf("SC_AVPHYS_PAGES") * page

    def facts(self) -> Mapping[str, Any]:
        """Nothing more."""
        return {}

    def warm(self) -> None:
        """Nothing to do."""

    def release(self) -> None:
        """Nothing to do."""
