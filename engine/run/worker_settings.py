"""What a worker process is started with."""

from __future__ import annotations

import msgspec

from engine.run.remote_nodes import CustomNodePacks
from engine.store.cache_policy import CachePolicy
from engine.store.model_paths import ModelPaths

GRACE_SECONDS = 5.0


class WorkerTiming(msgspec.Struct, frozen=True):
    """When a worker process that makes no progress is replaced; all in seconds.

    Attributes:
        restart: the delay before a process is replaced; doubled each time that one ends soon.
        ping: the time between two pings.
        silence: a ready process that answers no ping for so long is killed.
        start: a process that is not ready after so long is killed.
        grace: how long a node may go on after its job has ended, before the process is killed.
    """

    restart: float = 0.2
    ping: float = 5.0
    silence: float = 30.0
    start: float = 300.0
    grace: float = GRACE_SECONDS


class WorkerSettings(msgspec.Struct, frozen=True):
    """What a worker process is started with.

    Attributes:
        folder_overrides: see `Folders.overrides`.
        packs: node packs to import beside the installed ones, by module name.
        models: folders of models outside of the home.
        custom_nodes: node packs that were written for ComfyUI.
        cache_policy: which results are kept.
        preload: do slow imports at once, in place of when a job first needs them.
        timing: when a process that makes no progress is replaced.
    """

    home: str
    folder_overrides: dict[str, str]
    packs: list[str]
    models: ModelPaths = msgspec.field(default_factory=ModelPaths)
    custom_nodes: CustomNodePacks | None = None
    log_level: str = "INFO"
    cache_policy: CachePolicy = msgspec.field(default_factory=CachePolicy)
    preload: bool = True
    timing: WorkerTiming = msgspec.field(default_factory=WorkerTiming)
