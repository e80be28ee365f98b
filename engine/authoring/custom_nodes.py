"""Guests: node packs that were written for another program and live in the worker alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

from engine.authoring.errors import SoundstageError


class CustomNodesUnavailable(SoundstageError):
    """The worker does not describe its custom nodes: it still loads them, or cannot start."""


class CustomNodes(Protocol):
    """Nodes of a registry whose declarations may change while the engine runs."""

    @property
    def webs(self) -> Mapping[str, Path]:
        """Folders of scripts that packs bring for the browser, by pack."""
        ...

    async def refresh(self, ids: Collection[str] | None = None) -> None:
        """Bring these nodes of the registry (None: all) up to date with what packs declare now.

        Ids of other nodes, or of none, may be among them.

        Raises:
            CustomNodesUnavailable: no answer within a bounded time.
        """
        ...
