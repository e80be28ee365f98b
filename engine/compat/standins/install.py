"""Puts the stand-in modules where packs import them from."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.authoring.registry import Registry
from engine.compat.standins.comfy import comfy
from engine.compat.standins.comfy_api import comfy_api
from engine.compat.standins.folder_paths import FolderPaths
from engine.compat.standins.graph import comfy_execution
from engine.compat.standins.server import server
from engine.store.folders import Folders

MAX_RESOLUTION = 16384


def install(registry: Registry, folders: Folders, packs: Sequence[Path]) -> dict[str, Any]:
    """Make the modules for a home and enter them into `sys.modules`.

    Returns:
        NODE_CLASS_MAPPINGS of the module `nodes`: gets the classes of packs as they load.
    """
    classes: dict[str, Any] = {}
    sys.modules.update(comfy_execution())
    sys.modules.update(comfy_api())
    sys.modules.update(comfy(registry))
    sys.modules.update(server())
    sys.modules["folder_paths"] = FolderPaths(folders, packs)
    add_nodes(classes)
    return classes


def add_nodes(classes: dict[str, Any]) -> None:
    """What packs look for in `nodes`, which here is a pack of ours: it gets these names besides."""
    module = sys.modules.setdefault("nodes", ModuleType("nodes"))
    names: dict[str, Any] = {
        "NODE_CLASS_MAPPINGS": classes,
        "NODE_DISPLAY_NAME_MAPPINGS": {},
        "EXTENSION_WEB_DIRS": {},
        "MAX_RESOLUTION": MAX_RESOLUTION,
    }
    vars(module).update(names)
