"""Which devices torch sees; it is imported only where there may be one."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

SLOW_IMPORTS = (
    "diffusers.models.unets.unet_2d_condition",
    "diffusers.models.autoencoders.autoencoder_kl",
    "transformers.models.clip.modeling_clip",
)
DRIVER_FILES = ("nvidia*", "nvhost*", "nvgpu*", "dxg", "kfd")
"""In /dev, of the drivers that torch can use: CUDA, on Jetson and under WSL too, and ROCm."""


class TorchDevices:
    """The accelerators of this machine, as torch knows them."""

    def accelerators(self) -> list[str]:
        """CUDA devices: ["cuda:0", ...]."""
        if not has_driver(Path("/dev")):
            return []
        import torch

        return [f"cuda:{index}" for index in range(torch.cuda.device_count())]

    def memory(self, device: str) -> tuple[int, int]:
        """Bytes of memory of a device: (total, free)."""
        if device.startswith("cuda"):
            import torch

            free, total = torch.cuda.mem_get_info(device)
            return total, free
        page = os.sysconf("SC_PAGE_SIZE")
        return os.sysconf("SC_PHYS_PAGES") * page, os.sysconf("SC_AVPHYS_PAGES") * page

    def facts(self) -> Mapping[str, Any]:
        """The version of torch, and the accelerators' names."""
        return {"torch": version("torch"), "accelerators": self._names()}

    def _names(self) -> list[str]:
        devices = self.accelerators()
        if not devices:
            return []
        import torch

        return [torch.cuda.get_device_name(device) for device in devices]

    def warm(self) -> None:
        """Import what the first picture needs; takes seconds."""
        if sys.modules.keys() >= set(SLOW_IMPORTS):
            return
        for name in SLOW_IMPORTS:
            importlib.import_module(name)
        gc.freeze()  # 400 000 objects of modules: a full round of the collector stops all lanes

    def release(self) -> None:
        """Give memory that torch keeps for later back to the devices."""
        gc.collect()
        if self.accelerators():
            import torch

            torch.cuda.empty_cache()


def has_driver(devices: Path) -> bool:
    """Whether there may be an accelerator: a driver has files in `devices`, or none would have."""
    if sys.platform != "linux":
        return True
    return any(True for pattern in DRIVER_FILES for _ in devices.glob(pattern))
