"""`soundstage models inspect`: what a model file is, by its header alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from engine.authoring.errors import SoundstageError
from engine.authoring.registry import Registry
from engine.cli.config import UsageError
from engine.cli.model_commands import InspectModel

UNITS = ("bytes", "kB", "MB", "GB", "TB")


def inspect_model(command: InspectModel) -> int:
    """Print what a file is; 0 where it can be loaded, 1 where it cannot.

    Raises:
        UsageError: there is no such file.
    """
    if not command.path.exists():
        raise UsageError(f"there is no {command.path}")
    found = Registry.installed().inspect(command.path)
    if found is None:
        raise SoundstageError("no node pack that is installed knows model files")
    if command.json:
        print(json.dumps(found, indent=2))
    else:
        _print(found)
    return 0 if found["complaint"] is None else 1


def _print(found: Mapping[str, Any]) -> None:
    table = Table(show_header=False, box=None)
    for title, text in _rows(found):
        table.add_row(title, text)
    console = Console(highlight=False, markup=False)
    console.print(table)
    if found["complaint"] is not None:
        console.print(f"cannot be loaded: {found['complaint']}", soft_wrap=True)


def _rows(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "file", found["file"]
    yield "type", found["type"]
    yield "family", found["family"] or "not known"
    numbers = ", ".join(f"{name} {_count(count)}" for name, count in found["dtypes"].items())
    yield "parameters", f"{_count(found['parameters'])} ({numbers})" if numbers else "none"
    yield "on disk", _readable(found["bytes"])
    for title, value in found["details"].items():
        yield title, ", ".join(value) if isinstance(value, list) else str(value)  # pyright: ignore[reportUnknownArgumentType] - JSON
    for title, network in found["networks"].items():
        sizes = ", ".join(f"{_readable(n)} on {d}" for d, n in network["bytes"].items())
        yield title, f"{_count(network['parameters'])} parameters, {sizes}"
    if found["networks"]:
        sizes = ", ".join(f"{_readable(n)} on {device}" for device, n in found["needs"].items())
        yield "weights need", sizes


def _count(number: int) -> str:
    return f"{number / 1e6:,.1f} M" if number >= 1e5 else f"{number:,}"


def _readable(size: float) -> str:
    unit = 0
    while size >= 1000 and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:,.1f} {UNITS[unit]}" if unit else f"{size:,.0f} bytes"
