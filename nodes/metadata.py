"""What files of pictures and films say of how they were made."""

from __future__ import annotations

from typing import Any

from engine import Run


def made_by(run: Run) -> dict[str, Any]:
    """The prompt, what the client keeps beside it, and the number format that models ran in."""
    found: dict[str, Any] = {"prompt": run.prompt, **run.extra_pnginfo}
    if any("model" in node.get("inputs", ()) for node in run.prompt.values()):
        from nodes.models.networks.precision import what_ran

        found.setdefault("precision", what_ran())
    return found
