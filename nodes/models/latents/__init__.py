"""Latents: sizes, batches, previews, masks for inpainting."""
