"""ComfyUI's JSON for files: models, and what the user's editor keeps."""

from __future__ import annotations

import os
from typing import Any


def model_folder(name: str) -> dict[str, Any]:
    """One line of GET /experiment/models; its place is told from the home on, never from /."""
    return {"name": name, "folders": [f"models/{name}"]}


def model_file(name: str, stat: os.stat_result) -> dict[str, Any]:
    """One line of GET /experiment/models/{folder}; `pathIndex` counts its folders, here one."""
    return {"name": name, "pathIndex": 0, **_times(stat), "size": stat.st_size}


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
