"""What a worker process is started with."""

from __future__ import annotations

import msgspec

from engine.run.guests import GuestPacks
from engine.store.cache_policy import CachePolicy
from engine.store.model_paths import ModelPaths


class Settings(msgspec.Struct, frozen=True):
    """What a worker process is started with.

    Attributes:
        packs: node packs to import beside the installed ones, by module name.
        models: folders of models outside of the home.
        guests: node packs that were written for another program.
        keeping: which results are kept.
    """

    home: str
    placed: dict[str, str]
    packs: list[str]
    models: ModelPaths = msgspec.field(default_factory=ModelPaths)
    guests: GuestPacks | None = None
    log_level: str = "INFO"
    keeping: CachePolicy = msgspec.field(default_factory=CachePolicy)
