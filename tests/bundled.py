"""The workflows that ship with the package, as their files and as prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nodes
from engine.authoring.registry import Registry
from engine.graph.workflow import to_prompt

FOLDER = Path(__file__).parent.parent / "workflows"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))

Prompt = dict[str, dict[str, Any]]


def document(name: str) -> dict[str, Any]:
    """What the editor saved."""
    return json.loads((FOLDER / f"{name}.json").read_bytes())


def registry() -> Registry:
    """The nodes that the package brings."""
    brought = Registry()
    brought.add_pack(nodes)
    return brought


def prompt(name: str) -> Prompt:
    """A workflow in API format."""
    return to_prompt(document(name), registry())
