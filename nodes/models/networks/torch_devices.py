"""Which devices torch sees, and which number format networks run in there."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

import torch

SLOW_IMPORTS = (
    "diffusers.models.unets.unet_2d_condition",
    "diffusers.models.autoencoders.autoencoder_kl",
    "transformers.models.clip.modeling_clip",
)


def compute_dtype(device: str, *, delicate: bool = False) -> torch.dtype:
    """Number format of a network on `device` ("cpu", "cuda:0").

    float32 on a CPU, where halves are slow; float16 on a GPU, or float32 there for `delicate`
    networks whose activations leave the range of halves.
    """
    return torch.float32 if delicate or torch.device(device).type == "cpu" else torch.float16


class TorchDevices:
    """The accelerators of this machine, as torch knows them."""

    def accelerators(self) -> list[str]:
        """CUDA devices: ["cuda:0", ...]."""
        return [f"cuda:{index}" for index in range(torch.cuda.device_count())]

    def memory(self, device: str) -> tuple[int, int]:
        """Bytes of memory of a device: (total, free)."""
        if torch.device(device).type == "cuda":
            free, total = torch.cuda.mem_get_info(device)
            return total, free
        page = os.sysconf("SC_PAGE_SIZE")
        return os.sysconf("SC_PHYS_PAGES") * page, os.sysconf("SC_AVPHYS_PAGES") * page

    def facts(self) -> Mapping[str, Any]:
        """The version of torch, and the accelerators' names."""
        names = [torch.cuda.get_device_name(device) for device in self.accelerators()]
        return {"torch": str(torch.__version__), "accelerators": names}

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
        torch.cuda.empty_cache()
