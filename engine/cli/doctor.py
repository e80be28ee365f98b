"""`soundstage doctor`: what works on this machine, and a remedy for what does not."""

from __future__ import annotations

import asyncio
import json
import platform
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from engine.authoring.registry import Registry
from engine.cli.config import Doctor
from engine.models.catalog import CATALOG
from engine.models.pull import missing_files

LIBRARIES = ("soundstage", "torch", "diffusers", "transformers", "aiohttp", "soundfile")
LEAST_FREE = 2 * 10**9
DEVICES = """
import json, torch
names = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
print(json.dumps({"gpus": names, "threads": torch.get_num_threads()}))
"""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; no remedy is needed where it is good."""

    name: str
    good: bool
    state: str
    remedy: str = ""


async def doctor(command: Doctor) -> int:
    """Print every finding; returns 1 if one of them needs a remedy."""
    findings = [
        *_versions(),
        _onnxruntime(),
        await _devices(),
        *_packs(),
        *_models(command.home),
        _port(command.port),
        _disk(command.home),
    ]
    table = Table("", "what", "state", "remedy", box=None)
    for finding in findings:
        mark = "[green]ok[/]" if finding.good else "[red]!![/]"
        table.add_row(mark, finding.name, finding.state, finding.remedy)
    Console().print(table)
    return 0 if all(finding.good for finding in findings) else 1


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _versions() -> Iterator[Finding]:
    yield Finding("python", True, platform.python_version())
    for name in LIBRARIES:
        found = _installed(name)
        yield Finding(name, found is not None, found or "missing", f"pip install {name}")


def _onnxruntime() -> Finding:
    plain, gpu = _installed("onnxruntime"), _installed("onnxruntime-gpu")
    if plain and gpu:
        return Finding(
            "onnxruntime",
            False,
            "onnxruntime and onnxruntime-gpu overwrite each other",
            "pip uninstall -y onnxruntime onnxruntime-gpu; pip install onnxruntime-gpu",
        )
    found = plain or gpu
    return Finding("onnxruntime", found is not None, found or "missing", "reinstall soundstage")


async def _devices() -> Finding:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", DEVICES),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode != 0:
        lines = errors.decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else f"exit status {process.returncode}"
        return Finding("devices", False, f"torch cannot be imported: {reason}", "reinstall torch")
    seen = json.loads(output)
    gpus = ", ".join(seen["gpus"]) or "no GPU"
    return Finding("devices", True, f"{gpus}; CPU with {seen['threads']} threads")


def _packs() -> Iterator[Finding]:
    registry = Registry.installed()
    yield Finding("nodes", bool(registry.nodes), f"{len(registry.nodes)}", "reinstall soundstage")
    for pack, reason in registry.failures.items():
        yield Finding(f"pack {pack}", False, reason, "update or uninstall it")


def _models(home: Path) -> Iterator[Finding]:
    for name, model in CATALOG.items():
        missing = missing_files(model, home / "models" / model.folder)
        state = f"{len(missing)} files missing" if missing else "here"
        yield Finding(f"model {name}", not missing, state, f"soundstage models pull {name}")


def _port(port: int) -> Finding:
    with socket.socket() as probe:
        probe.settimeout(1)
        taken = probe.connect_ex(("127.0.0.1", port)) == 0
    state = "something listens there (soundstage itself, perhaps)" if taken else "free"
    return Finding(f"port {port}", True, state)


def _disk(home: Path) -> Finding:
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    return Finding(
        "disk",
        free >= LEAST_FREE,
        f"{free / 1e9:,.1f} GB free for {home}",
        "free some space, or choose another --home",
    )
