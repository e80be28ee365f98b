"""Work on a prompt that may take long: in a thread, so that the event loop serves others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from engine.authoring.registry import Registry

T = TypeVar("T")

LONG_NODES = 200


def takes_long(prompt: Mapping[str, Any], registry: Registry) -> bool:
    """Whether to look at all of a prompt takes more than an instant: it is long, or lists files."""
    if len(prompt) > LONG_NODES:
        return True
    entries = [cast("dict[str, Any]", e) for e in prompt.values() if isinstance(e, dict)]
    specs = [registry.get(entry.get("class_type")) for entry in entries]
    return any(spec is not None and (spec.lists_files or spec.is_dynamic) for spec in specs)


async def in_thread_if(takes_long: bool, work: Callable[[], T]) -> T:
    """The result of a function, called in a thread if it takes long, else at once."""
    return await asyncio.to_thread(work) if takes_long else work()
