"""The editor in a real browser, against a real service."""
