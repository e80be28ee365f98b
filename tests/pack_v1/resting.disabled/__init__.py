"""Switched off by its name."""

raise RuntimeError("nobody should import this")
