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
from engine.compat.standins.core_nodes import core_nodes
from engine.compat.standins.folder_paths import FolderPaths
from engine.compat.standins.graph import comfy_execution
from engine.compat.standins.node_helpers import node_helpers
from engine.compat.standins.sampling import sampling
from engine.compat.standins.server import server
from engine.store.folders import Folders


def install(registry: Registry, folders: Folders, packs: Sequence[Path]) -> dict[str, Any]:
    """Make the modules for a home and enter them into `sys.modules`.

    Returns:
        NODE_CLASS_MAPPINGS of the module `nodes`: gets the classes of packs as they load.
    """
    core = core_nodes(registry, folders)
    sys.modules.update(comfy_execution())
    sys.modules.update(comfy_api(core))
    sys.modules.update(comfy(registry) | sampling(registry, core))
    for name in ("sample", "samplers"):
        setattr(sys.modules["comfy"], name, sys.modules[f"comfy.{name}"])
    sys.modules.update(server())
    sys.modules.update(node_helpers())
    sys.modules["folder_paths"] = FolderPaths(folders, packs)
    # What packs know as `nodes` is a pack of ours here: it gets their names besides.
    module = sys.modules.setdefault("nodes", ModuleType("nodes"))
    vars(module).update(core)
    return vars(module)["NODE_CLASS_MAPPINGS"]
