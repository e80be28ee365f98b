"""What fills the hidden inputs of packs' nodes."""

from __future__ import annotations

from typing import Any

from engine.compat.standins.graph import DynamicPrompt, LiveGraph
from engine.run.context import NodeContext


def hidden_value(kind: str, run: NodeContext) -> Any:
    """What fills a hidden input of this kind while a node runs."""
    match kind:
        case "PROMPT":
            return run.prompt
        case "EXTRA_PNGINFO":
            return run.extra_pnginfo
        case "UNIQUE_ID":
            return run.node
        case "DYNPROMPT":
            return DynamicPrompt(run.prompt, LiveGraph(run.nodes, run.parents), run.parents)
        case _:  # keys of a paid service that this one does not use
            return None
