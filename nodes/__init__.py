"""The built-in nodes: one thin module for each family."""

from pathlib import Path

BUNDLED = {"checkpoints": {"demo": Path(__file__).parent / "models" / "demo"}}
