"""Models that can be fetched: what there is, where it comes from, and the way home."""
