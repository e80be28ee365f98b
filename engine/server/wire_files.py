"""ComfyUI's JSON for files: models, and what the user's editor keeps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.store.folders import Folders


def model_roots(folders: Folders, kind: str) -> list[str]:
    """Where models of a kind lie: relative to the home, others by their last name."""
    own = folders.root("models")
    return [
        f"models/{root.name}" if root.parent == own else root.name
        for root in folders.model_roots(kind)
    ]


def path_index(roots: Sequence[Path], path: Path) -> int:
    """Which of its kind's folders a model lies in; 0 for one that came with a pack."""
    return next((i for i, root in enumerate(roots) if path.is_relative_to(root)), 0)


def model_file(name: str, index: int, stat: os.stat_result, *, pictured: bool) -> dict[str, Any]:
    """One line of GET /experiment/models/{folder}; `index` counts its folders.

    `pictured` models have a picture beside them, listed in a member of our own.
    """
    entry = {"name": name, "pathIndex": index, **_times(stat), "size": stat.st_size}
    return entry | ({"preview": True} if pictured else {})


def user_file(path: str, stat: os.stat_result) -> dict[str, Any]:
    """One line of GET /userdata with full_info."""
    return {"path": path, "size": stat.st_size, **_times(stat)}


def user_entry(path: str, stat: os.stat_result | None) -> dict[str, Any]:
    """One line of GET /v2/userdata; `stat` is None for a folder."""
    entry: dict[str, Any] = {"name": path.rpartition("/")[2], "path": path, "type": "directory"}
    if stat is not None:
        entry |= {"type": "file", "size": stat.st_size, "modified": _times(stat)["modified"]}
    return entry


def _times(stat: os.stat_result) -> dict[str, int]:
    """Times in ms since 1970."""
    return {"modified": stat.st_mtime_ns // 10**6, "created": stat.st_ctime_ns // 10**6}
