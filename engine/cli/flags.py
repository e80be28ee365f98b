"""ComfyUI's flags that change nothing here: taken with a word in the log, or refused with one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

IDLE = {
    "weights move between disk, memory and device as there is room": (
        "gpu-only highvram normalvram lowvram novram disable-smart-memory disable-async-offload "
        "disable-pinned-memory disable-dynamic-vram reserve-vram= async-offload? vram-headroom="
    ),
    "a model runs in the number format that --precision, its file and its loader say": (
        "fp64-unet fp8_e4m3fn-unet fp8_e5m2-unet fp8_e8m0fnu-unet fp16-vae fp32-vae bf16-vae "
        "cpu-vae fp8_e4m3fn-text-enc "
        "fp8_e5m2-text-enc fp16-text-enc fp32-text-enc bf16-text-enc force-upcast-attention "
        "dont-upcast-attention force-channels-last supports-fp8-compute force-non-blocking"
    ),
    "attention is PyTorch's own": (
        "use-split-cross-attention use-quad-cross-attention use-pytorch-cross-attention "
        "use-sage-attention use-flash-attention disable-xformers"
    ),
    "results are kept as far as they fit into a share of memory and disk": "cache-ram*",
    "there is nothing to switch": (
        "cuda-malloc disable-cuda-malloc mmap-torch-files disable-mmap deterministic fast* "
        "default-device= default-hashing-function= database-url= preview-size= "
        "disable-api-nodes enable-assets disable-assets-autoscan "
        "enable-manager disable-manager-ui enable-manager-legacy-ui"
    ),
    "the service asks nothing of other sites, opens no browser and has its own pages": (
        "offline disable-auto-launch dont-print-server log-stdout windows-standalone-build "
        "front-end-version= comfy-api-base="
    ),
}
"""Why, and the flags: with "=" a value follows, with "?" one may, with "*" several."""

REFUSED = {
    "multi-user": "this service keeps the data of one user; start one for each, with --home",
    "disable-metadata": "pictures carry the prompt they were made of, so that they open again",
    "quick-test-for-ci": "use 'soundstage doctor'",
    "directml": "there is no DirectML backend",
    "oneapi-device-selector": "there is no oneAPI backend",
}

COUNTS = {"=": 1, "?": "?", "*": "*"}


class Noted(argparse.Action):
    """Keeps the flag itself, whatever its values."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Note it."""
        setattr(namespace, self.dest, (*getattr(namespace, self.dest), self.const))


class Refused(argparse.Action):
    """Ends the program with the reason."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Refuse."""
        parser.error(f"{option_string} is not for this service: {self.const}")


def add_foreign(parser: argparse.ArgumentParser) -> None:
    """Take the flags; ``idle`` of what was parsed says in a line each why they change nothing."""
    for why, flags in IDLE.items():
        for flag in flags.split():
            name = flag.rstrip("".join(COUNTS))
            parser.add_argument(
                f"--{name}",
                action=Noted,
                dest="idle",
                nargs=COUNTS.get(flag[-1], 0),
                const=f"--{name} changes nothing here: {why}",
                default=(),
                help=argparse.SUPPRESS,
            )
    for name, why in REFUSED.items():
        parser.add_argument(
            f"--{name}", action=Refused, nargs="?", const=why, help=argparse.SUPPRESS
        )
