"""The nodes that ComfyUI has without any pack, whether or not they are supported here.

A prompt may name one that is not supported yet: then no pack brings it, and the remedy is another
node. The ids are public names, each once, one a line.
"""

from __future__ import annotations

from pathlib import Path

CORE_NODES = frozenset(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines())
"""class_type of every core node of ComfyUI up to 0.33."""
