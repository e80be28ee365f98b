"""Images as tensors and files."""
