"""Running jobs: one engine, its scheduler and its workers."""
