"""Needs something that is not installed."""

import no_such_module_anywhere  # noqa: F401

NODE_CLASS_MAPPINGS = {}
