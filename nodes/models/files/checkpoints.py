"""What is in this model file? Read from its header, without touching the weights.

A checkpoint is a diffusers folder (``model_index.json`` with one subfolder per network) or a single
file in the original names; which family it is of, its `families` say. Pickle is never executed:
``.ckpt`` files are read as data alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from nodes.models.families.clip_layout import clip_layout
from nodes.models.families.family import (
    TEXT_ENCODER,
    UNET,
    VAE,
    Encoder,
    Family,
    Found,
)
from nodes.models.families.hunyuan_image_vae_layout import hunyuan_image_vae_layout
from nodes.models.families.registry import detected
from nodes.models.families.sd2_unclip import STATISTICS
from nodes.models.families.vae_layout import TEMPORAL, tiny_vae, vae_layout
from nodes.models.families.video_vae_layout import video_vae_layout
from nodes.models.files.clip_files import TextEncoderSource, checkpoint_text, text_source
from nodes.models.files.folders import TRANSFORMER, folder_weights, transformer_folder
from nodes.models.files.pieces import NetworkSource, Pieces, below, checked, placed, whole
from nodes.models.files.tensor_files import (
    Header,
    ModelFileError,
    TensorFile,
    joined,
    read_header,
)
from nodes.models.files.unfit import model_complaint, vae_complaint
from nodes.models.latents.formats import LatentFormat
from nodes.models.latents.previews import read_rgb_factors
from nodes.models.sampling.sigma_space import SigmaSpace, sigma_space

__all__ = ["TEXT_ENCODER", "UNET", "VAE", "NetworkSource"]

UNETS = ("UNet2DConditionModel", "UNetSpatioTemporalConditionModel")
TINY_CHANNELS = (4, 16)
VAE_PREFIXES = ("first_stage_model.", "vae.", "")


@dataclass(frozen=True, eq=False)
class DenoiserSource:
    """A denoiser without the rest of its checkpoint.

    Attributes:
        source: its weights.
        family: what kind of model it is.
        space: its levels of noise, and what its output means.
        latent: its latents.
    """

    source: NetworkSource
    family: Family
    space: SigmaSpace = field(repr=False)
    latent: LatentFormat


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The networks of a text-to-image model; of text encoders and VAE some may be missing."""

    denoiser: DenoiserSource
    text_encoder: TextEncoderSource
    vae: NetworkSource


def vae_factor(vae: NetworkSource) -> int:
    """Pixels along one side of a cell of an autoencoder's latents."""
    levels: Sequence[int] = vae.config.get("block_out_channels", [0] * 4)
    return 2 ** (len(levels) - 1)


def read_checkpoint(path: Path) -> Checkpoint:
    """What `path`, a file or a diffusers folder, holds.

    Raises:
        ModelFileError: missing, truncated, or of a kind that is not supported; says what was found.
    """
    if path.is_dir():
        return _folder(path)
    header = read_header(path)
    denoiser = _denoiser(header)
    text = checkpoint_text(header, denoiser.family.encoders)
    vae = _vae(header) or NetworkSource(header, {}, "", {}, VAE)
    return Checkpoint(denoiser, text, vae)


def read_denoiser(path: Path) -> DenoiserSource:
    """The denoiser that a file of its own, or a whole checkpoint, holds.

    Raises:
        ModelFileError: it holds none that is supported; says what was found.
    """
    return _denoiser(read_header(path))


def _denoiser(header: Header) -> DenoiserSource:
    found = detected(header.shapes)
    if found is None:
        raise ModelFileError(model_complaint(header.path, header.shapes))
    family, net, prefix = found
    source = NetworkSource(header, placed(net.pieces, "", prefix), prefix, net.config, UNET)
    checked(header.path, header.shapes, source.pieces)
    file = TensorFile(header)
    space, latent = family.sampling(Found(source, file.__getitem__, family.latent))
    return DenoiserSource(source, family, space, latent)


def read_vae(path: Path) -> NetworkSource:
    """The autoencoder that a file of its own, or a whole checkpoint, holds.

    Raises:
        ModelFileError: it holds none that is supported.
    """
    header = read_header(path)
    if (complaint := vae_complaint(path, header.shapes)) is not None:
        raise ModelFileError(complaint)
    if (source := _vae(header)) is None:
        raise ModelFileError(f"{path}: the autoencoder lacks its first weights; get it again")
    return source


def _vae(header: Header) -> NetworkSource | None:
    for prefix in VAE_PREFIXES:
        own = below(header.shapes, prefix)
        found = hunyuan_image_vae_layout(own) or vae_layout(own) or video_vae_layout(own)
        if found is not None:
            names, config = found
            return NetworkSource(header, placed(whole(names), "", prefix), prefix, config, VAE)
    return None


def read_tiny_vae(encoder: Path, decoder: Path) -> NetworkSource:
    """A tiny autoencoder of two files, as madebyollin/taesd publishes them.

    Raises:
        ModelFileError: one of them is none.
    """
    header = joined({"encoder.": read_header(encoder), "decoder.": read_header(decoder)})
    channels = header.shapes.get("decoder.1.weight", (0, 0))[1]
    if channels not in TINY_CHANNELS or "encoder.0.weight" not in header.shapes:
        raise ModelFileError(
            f"{decoder}: not the decoder of a tiny autoencoder; get it from madebyollin/taesd"
        )
    config = {"latent_channels": channels}
    pieces = whole({tiny_vae(name): name for name in header.shapes})
    return NetworkSource(header, pieces, "", config, "tiny VAE")


def _folder(path: Path) -> Checkpoint:
    if not (path / "model_index.json").exists():
        raise ModelFileError(
            f"{path}: a folder without model_index.json; a diffusers model folder has one"
        )
    if (path / TRANSFORMER).is_dir():
        return _transformers(path)
    config, header = _folder_part(path / "unet", UNET, *UNETS)
    found = detected(header.shapes)
    if found is None:
        raise ModelFileError(model_complaint(header.path, header.shapes))
    family = found[0]
    unet = _folder_unet(path / "image_normalizer", config, header)
    vae_config, vae_header = _folder_part(path / "vae", VAE, "AutoencoderKL", TEMPORAL)
    layout = vae_layout(vae_header.shapes)
    names = {} if layout is None else layout[0]
    vae = NetworkSource(vae_header, whole(names), "", vae_config, VAE)
    latent = _folder_latent(path / "vae", vae, family.latent)
    denoiser = DenoiserSource(unet, family, _space(path / "scheduler"), latent)
    text = _folder_text(path, family.encoders) if family.encoders else checkpoint_text(header, ())
    return Checkpoint(denoiser, text, vae)


def _transformers(path: Path) -> Checkpoint:
    """A folder of a transformer; its text encoders are loaded from files of their own."""
    source, family = transformer_folder(path)
    file = TensorFile(source.header)
    space, latent = family.sampling(Found(source, file.__getitem__, family.latent))
    text, vae = checkpoint_text(source.header, family.encoders), None
    if (path / "vae").is_dir():
        vae = _vae(read_header(folder_weights(path / "vae")))
    none = NetworkSource(source.header, {}, "", {}, VAE)
    return Checkpoint(DenoiserSource(source, family, space, latent), text, vae or none)


def _folder_unet(folder: Path, config: Mapping[str, Any], header: Header) -> NetworkSource:
    """A folder's denoiser; unCLIP's lies beside a `folder` with the statistics of embeddings."""
    pieces = whole({name: name for name in header.shapes})
    if not folder.is_dir():
        return NetworkSource(header, pieces, "", config, UNET)
    _, statistics = _folder_part(folder, "image normalizer", "StableUnCLIPImageNormalizer")
    both = joined({"unet/": header, STATISTICS: statistics})
    return NetworkSource(both, placed(pieces, "", "unet/"), "unet/", config, UNET)


def _folder_latent(folder: Path, vae: NetworkSource, latent: LatentFormat) -> LatentFormat:
    """The latent format of a family, with the numbers of a folder's autoencoder."""
    scale = float(vae.config.get("scaling_factor", latent.scaling_factor))
    channels = int(vae.config.get("latent_channels", latent.channels))
    like_family = scale == latent.scaling_factor and channels == latent.channels
    return replace(
        latent,
        channels=channels,
        factor=vae_factor(vae),
        scaling_factor=scale,
        latents_mean=tuple(vae.config.get("latents_mean") or ()),
        latents_std=tuple(vae.config.get("latents_std") or ()),
        latent_rgb_factors=read_rgb_factors(folder, channels)
        or (latent.latent_rgb_factors if like_family else None),
    )


def _folder_text(path: Path, encoders: Sequence[Encoder]) -> TextEncoderSource:
    """The text encoders of a diffusers folder, each with a vocabulary of its own."""
    headers: dict[str, Header] = {}
    found: dict[str, tuple[Pieces, Mapping[str, Any]]] = {}
    own: list[Encoder] = []
    for encoder in encoders:
        if not (path / encoder.folder).is_dir():
            continue
        classes = ("CLIPTextModel", "CLIPTextModelWithProjection")
        config, header = _folder_part(path / encoder.folder, TEXT_ENCODER, *classes)
        layout = clip_layout(header.shapes, encoder.activation)
        begin = f"{encoder.folder}/"
        headers[begin] = header
        pieces = {} if layout is None else placed(layout.pieces, "", begin)
        found[encoder.name] = pieces, config
        # Stable Diffusion 2's folders leave out the last layer, whose output is not used.
        left_out = encoder.name == "clip_h" and int(config.get("num_hidden_layers", 24)) == 23
        own.append(replace(encoder, pad=None, layer=-1 if left_out else encoder.layer))
    if not headers:
        kind = _config(path / "model_index.json").get("_class_name")
        raise ModelFileError(
            f"{path}: holds no {encoders[0].folder}, which a folder of a {kind} may lack; "
            "supported are those that draw by a text, and that have all of their parts"
        )
    tokenizers = {encoder.name: path / encoder.tokenizer for encoder in own}
    missing = [encoder for encoder in encoders if encoder.name not in found]
    return text_source(joined(headers), (*own, *missing), found, tokenizers)


def _folder_part(folder: Path, title: str, *networks: str) -> tuple[Mapping[str, Any], Header]:
    config = _config(folder / "config.json")
    kinds: list[Any] = [config.get("_class_name"), *config.get("architectures", [])]
    if not {*networks} & {kind for kind in kinds if isinstance(kind, str)}:
        raise ModelFileError(
            f"{folder}: config.json says that the {title} is {_first_word(kinds)}; "
            f"supported is {networks[0]}"
        )
    return config, read_header(folder_weights(folder))


def _space(folder: Path) -> SigmaSpace:
    """The sigma space of the scheduler that a folder describes."""
    path = folder / "scheduler_config.json"
    try:
        return sigma_space(_config(path))
    except ModelFileError:
        raise
    except ValueError as error:
        raise ModelFileError(f"{path}: {error}") from None


def _config(path: Path) -> Mapping[str, Any]:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelFileError(f"{path}: missing; the model folder is not complete") from None
    except ValueError as error:
        raise ModelFileError(f"{path}: not JSON ({error})") from None
    if not isinstance(content, dict):
        raise ModelFileError(f"{path}: a JSON object was expected, not {type(content).__name__}")
    return cast(dict[str, Any], content)


def _first_word(kinds: Sequence[Any]) -> str:
    return next((kind for kind in kinds if isinstance(kind, str)), "nothing known")
