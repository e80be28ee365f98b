"""What a worker process is started with."""

from __future__ import annotations

import msgspec

from engine.run.remote_nodes import CustomNodePacks
from engine.store.cache_policy import CachePolicy
from engine.store.model_paths import ModelPaths


class WorkerSettings(msgspec.Struct, frozen=True):
    """What a worker process is started with.

    Attributes:
        folder_overrides: see `Folders.overrides`.
        packs: node packs to import beside the installed ones, by module name.
        models: folders of models outside of the home.
        custom_nodes: node packs that were written for ComfyUI.
        cache_policy: which results are kept.
        preload: do slow imports at once, in place of when a job first needs them.
    """

    home: str
    folder_overrides: dict[str, str]
    packs: list[str]
    models: ModelPaths = msgspec.field(default_factory=ModelPaths)
    custom_nodes: CustomNodePacks | None = None
    log_level: str = "INFO"
    cache_policy: CachePolicy = msgspec.field(default_factory=CachePolicy)
    preload: bool = True
