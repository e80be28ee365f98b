"""What is in this model file? Read from its header, without touching the weights.

A checkpoint is a diffusers folder (``model_index.json`` with one subfolder per network) or a
single file in the original names of Stable Diffusion 1.x; configuration and vocabulary of the
latter ship with this package. Pickle is never executed: ``.ckpt`` files are read as data alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from nodes.models.families import ldm_keys
from nodes.models.files.tensor_files import Header, ModelFileError, joined, read_header
from nodes.models.files.unfit import encoder_complaint, model_complaint, vae_complaint
from nodes.models.latents.previews import Colors, read_colors
from nodes.models.sampling.sigma_space import SigmaSpace, sigma_space

CONFIGS = Path(__file__).parents[1] / "families" / "configs"

TINY_CHANNELS = (4, 16)
UNET, TEXT_ENCODER, VAE = "UNet", "text encoder", "VAE"
PREFIXES = {
    UNET: "model.diffusion_model.",
    TEXT_ENCODER: "cond_stage_model.transformer.",
    VAE: "first_stage_model.",
}


@dataclass(frozen=True, eq=False)
class Part:
    """The weights of one network: where they lie and how it is built.

    Attributes:
        header: the file that holds them.
        names: name of a weight in the network -> its name in the file.
        prefix: what the names in the file have in front.
        config: configuration of the network, as diffusers or transformers know it.
        title: what a person calls it, for messages.
    """

    header: Header
    names: Mapping[str, str] = field(repr=False)
    prefix: str = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)
    title: str

    @property
    def identity(self) -> str:
        """Tells this network in this very version of its file from all others."""
        return f"{self.header.identity}#{self.title}"

    @property
    def parameters(self) -> int:
        """How many numbers the network holds."""
        return sum(self.header.sizes[name] for name in self.names.values())


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The three networks of a text-to-image model and what else it needs.

    Attributes:
        space: the levels of noise it was trained with.
        tokenizer: folder of the vocabulary.
        latent_scale: the denoiser works on latents times this.
        colors: what latents look like, see `previews`; None where that is not known.
    """

    unet: Part
    text_encoder: Part
    vae: Part
    space: SigmaSpace
    tokenizer: Path
    latent_scale: float
    colors: Colors | None = None

    @property
    def factor(self) -> int:
        """Pixels along one side of a cell of its latents."""
        return vae_factor(self.vae)


def vae_factor(vae: Part) -> int:
    """Pixels along one side of a cell of an autoencoder's latents."""
    levels: Sequence[int] = vae.config.get("block_out_channels", [0] * 4)
    return 2 ** (len(levels) - 1)


def read_checkpoint(path: Path) -> Checkpoint:
    """What `path`, a file or a diffusers folder, holds.

    Raises:
        ModelFileError: missing, truncated, or of a kind that is not supported; says what was found.
    """
    return _folder(path) if path.is_dir() else _single_file(path)


def _single_file(path: Path) -> Checkpoint:
    header = read_header(path)
    unet = _sd1_unet(header, PREFIXES[UNET])
    folder = CONFIGS / "sd15"
    scale = _sd1_scale()
    return Checkpoint(
        unet=unet,
        text_encoder=_part(header, TEXT_ENCODER, ldm_keys.clip, folder / "text_encoder"),
        vae=_part(header, VAE, ldm_keys.vae, folder / "vae"),
        space=_space(folder / "scheduler"),
        tokenizer=folder / "tokenizer",
        latent_scale=scale,
        colors=read_colors(None, scale, 4),
    )


def _sd1_unet(header: Header, prefix: str) -> Part:
    """The denoiser of Stable Diffusion 1.x; anything else is refused by name."""
    _refuse(model_complaint(header.path, header.shapes))
    return _part(header, UNET, ldm_keys.unet, CONFIGS / "sd15" / "unet", prefix)


def _sd1_scale() -> float:
    return float(_config(CONFIGS / "sd15" / "vae" / "config.json")["scaling_factor"])


@dataclass(frozen=True, eq=False)
class Denoiser:
    """A denoiser without the rest of its checkpoint; see `Checkpoint` for the attributes."""

    unet: Part
    space: SigmaSpace
    latent_scale: float
    colors: Colors | None


def read_denoiser(path: Path) -> Denoiser:
    """The denoiser that a file of its own, or a whole checkpoint, holds.

    Raises:
        ModelFileError: it holds none that is supported; says what was found.
    """
    header = read_header(path)
    unet = _sd1_unet(header, _prefix(header, UNET))
    space = _space(CONFIGS / "sd15" / "scheduler")
    scale = _sd1_scale()
    return Denoiser(unet, space, scale, read_colors(None, scale, 4))


def read_text_encoder(path: Path) -> tuple[Part, Path]:
    """The text encoder that a file holds, and the folder of its vocabulary.

    Raises:
        ModelFileError: it holds none that is supported; says what was found.
    """
    header = read_header(path)
    prefix = _prefix(header, TEXT_ENCODER)
    _refuse(encoder_complaint(path, header.shapes))
    folder = CONFIGS / "sd15"
    part = _part(header, TEXT_ENCODER, ldm_keys.clip, folder / "text_encoder", prefix)
    return part, folder / "tokenizer"


def _prefix(header: Header, title: str) -> str:
    """What the names of a network have in front, in a file of its own nothing."""
    prefix = PREFIXES[title]
    return prefix if any(name.startswith(prefix) for name in header.shapes) else ""


def read_vae(path: Path) -> Part:
    """The autoencoder that a file of its own, or a whole checkpoint, holds.

    Raises:
        ModelFileError: it holds none that is supported.
    """
    header = read_header(path)
    prefix = _prefix(header, VAE)
    _refuse(vae_complaint(path, header.shapes))
    return _part(header, VAE, ldm_keys.vae, CONFIGS / "sd15" / "vae", prefix)


def read_tiny_vae(encoder: Path, decoder: Path) -> Part:
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
    names = {ldm_keys.tiny_vae(name): name for name in header.shapes}
    return Part(header, names, "", config, "tiny VAE")


def _part(
    header: Header,
    title: str,
    translate: Callable[[str], str | None],
    folder: Path,
    prefix: str | None = None,
) -> Part:
    """One network's weights, renamed by `translate`; None means not a weight."""
    names: dict[str, str] = {}
    prefix = PREFIXES[title] if prefix is None else prefix
    for name in header.shapes:
        if name.startswith(prefix) and (ours := translate(name.removeprefix(prefix))) is not None:
            names[ours] = name
    if not names:
        raise ModelFileError(
            f"{header.path}: holds no {title} (nothing is named {prefix}*); "
            "take a complete checkpoint"
        )
    return Part(header, names, prefix, _config(folder / "config.json"), title)


def _folder(path: Path) -> Checkpoint:
    if not (path / "model_index.json").exists():
        raise ModelFileError(
            f"{path}: a folder without model_index.json; a diffusers model folder has one"
        )
    unet = _folder_part(path / "unet", UNET, "UNet2DConditionModel", lambda name: name)
    text = _folder_part(path / "text_encoder", TEXT_ENCODER, "CLIPTextModel", ldm_keys.clip)
    vae = _folder_part(path / "vae", VAE, "AutoencoderKL", ldm_keys.old_diffusers_vae)
    scale = float(vae.config.get("scaling_factor", 0.18215))
    return Checkpoint(
        unet=unet,
        text_encoder=text,
        vae=vae,
        space=_space(path / "scheduler"),
        tokenizer=path / "tokenizer",
        latent_scale=scale,
        colors=read_colors(path / "vae", scale, int(vae.config.get("latent_channels", 4))),
    )


def _folder_part(
    folder: Path, title: str, network: str, translate: Callable[[str], str | None]
) -> Part:
    config = _config(folder / "config.json")
    kinds: list[Any] = [config.get("_class_name"), *config.get("architectures", [])]
    if network not in kinds:
        raise ModelFileError(
            f"{folder}: config.json says that the {title} is {_first_word(kinds)}; "
            f"supported is {network}"
        )
    header = read_header(_weights(folder))
    names = {ours: name for name in header.shapes if (ours := translate(name)) is not None}
    return Part(header, names, "", config, title)


def _weights(folder: Path) -> Path:
    names = [
        stem + ending
        for ending in (".safetensors", ".fp16.safetensors", ".bin")
        for stem in ("diffusion_pytorch_model", "model", "pytorch_model")
    ]
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise ModelFileError(f"{folder}: no weights here; expected {names[0]} or {names[1]}")


def _space(folder: Path) -> SigmaSpace:
    """The sigma space of the scheduler that a folder describes."""
    path = folder / "scheduler_config.json"
    try:
        return sigma_space(_config(path))
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


def _refuse(complaint: str | None) -> None:
    if complaint is not None:
        raise ModelFileError(complaint)
