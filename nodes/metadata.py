"""Metadata of saved files: how they were made."""

from __future__ import annotations

from typing import Any, cast

from engine import Run


def made_by(run: Run) -> dict[str, Any]:
    """The prompt, what the client keeps beside it, and the number format that models ran in."""
    found: dict[str, Any] = {"prompt": run.prompt, **run.extra_pnginfo}
    if has_model(run.prompt):
        from nodes.models.networks.precision import what_ran

        found.setdefault("precision", what_ran())
    return found


def has_model(prompt: Any) -> bool:
    """Whether a node takes a model; a pack may keep anything in the place of the prompt."""
    if not isinstance(prompt, dict):
        return False
    nodes = cast("dict[str, Any]", prompt).values()
    return any("model" in node["inputs"] for node in nodes if is_node(node))


def is_node(entry: Any) -> bool:
    """Whether it is a node of a prompt, with its inputs."""
    return isinstance(entry, dict) and "inputs" in entry
