"""Previews of the latents that a sampler has so far."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from engine import MissingFile, Run
from nodes.loaders import tiny_file
from nodes.sockets import Model

if TYPE_CHECKING:
    from torch import Tensor

BY_TINY = ("auto", "taesd")
"""Methods of previews that take a tiny decoder where models/vae_approx has it."""


def previewer(run: Run, model: Model) -> Callable[[Tensor], bytes] | None:
    """Draws latents of a model as a JPEG; None: previews are off, or the model has no RGB factors.

    A TAESD decoder that cannot be read is warned of, and RGB factors are used.
    """
    if run.preview_method == "none":
        return None
    from nodes.models.files.tensor_files import ModelFileError
    from nodes.models.latents.previews import preview
    from nodes.models.vae.tiny_previews import TinyDecoder

    name, factors = model.latent.taesd_decoder_name, model.latent.latent_rgb_factors
    if run.preview_method in BY_TINY and name is not None:
        try:
            path = tiny_file(run, f"{name}_decoder")
            return TinyDecoder(path, name, model.latent, run.device).preview
        except MissingFile:
            pass
        except ModelFileError as error:
            run.warn(f"previews show colours alone: {error}")
    return None if factors is None else partial(preview, rgb_factors=factors)
