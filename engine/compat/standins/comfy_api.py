"""`comfy_api`: nodes of the newer kind, and the progress of the node that runs."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from engine.compat.call import CURRENT
from engine.compat.standins.comfy_io import ComfyExtension, comfy_io
from engine.compat.standins.comfy_ui import comfy_ui

VERSIONS = ("v0_0_1", "v0_0_2", "latest")
LONGEST_SIDE = 512


def report(value: float, max_value: float, preview_image: Any) -> None:
    """Tell how far the node that runs is."""
    call = CURRENT.get()
    if call is not None:
        preview = None if preview_image is None else ("JPEG", preview_image, LONGEST_SIDE)
        call.progress(value, max_value, preview)


class ExecutionSync:
    """`ComfyAPISync().execution`."""

    def set_progress(
        self,
        value: float,
        max_value: float,
        node_id: str | None = None,
        preview_image: Any = None,
        **_: Any,
    ) -> None:
        """Report progress, and end the node when its job was interrupted."""
        report(value, max_value, preview_image)


class Execution:
    """`ComfyAPI().execution`."""

    async def set_progress(
        self,
        value: float,
        max_value: float,
        node_id: str | None = None,
        preview_image: Any = None,
        **_: Any,
    ) -> None:
        """Report progress, and end the node when its job was interrupted."""
        report(value, max_value, preview_image)


class ComfyAPI:
    """The API for async nodes."""

    def __init__(self) -> None:
        self.execution = Execution()


class ComfyAPISync:
    """The API for plain nodes."""

    def __init__(self) -> None:
        self.execution = ExecutionSync()


def comfy_api(classes: Mapping[str, Any]) -> dict[str, ModuleType]:
    """The package and its versions by name.

    Args:
        classes: our own nodes, as in the module `nodes`.
    """
    package = ModuleType("comfy_api")
    package.__path__ = []
    made: dict[str, ModuleType] = {"comfy_api": package}
    for version in VERSIONS:
        module = ModuleType(f"comfy_api.{version}")
        module.__path__ = []
        io, ui = comfy_io(f"{module.__name__}.io"), comfy_ui(f"{module.__name__}.ui", classes)
        vars(module).update(
            ComfyAPI=ComfyAPI, ComfyAPISync=ComfyAPISync, ComfyExtension=ComfyExtension
        )
        vars(module).update(io=io, IO=io, ui=ui, UI=ui)
        setattr(package, version, module)
        made |= {each.__name__: each for each in (module, io, ui)}
    return made
