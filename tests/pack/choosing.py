"""Nodes that choose among files."""

from __future__ import annotations

from typing import Annotated

from engine import Choice, Files, node


@node("NameOfLora", category="test")
def name_of_lora(*, lora: Annotated[str, Choice(Files("loras"))]) -> str:
    """The name of a file of the loras folder."""
    return lora
