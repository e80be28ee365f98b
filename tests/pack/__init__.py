"""A node pack for tests: nodes that count, sleep, fail, crash, list and loop."""
