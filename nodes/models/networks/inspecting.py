"""What a model file is, and what it will need, from its header: no weights are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nodes.models.conditioning.photomaker import read_photomaker
from nodes.models.conditioning.style import read_style_model
from nodes.models.conditioning.vision import read_vision_encoder, vision_encoder_in
from nodes.models.families.control_layout import control_layout
from nodes.models.families.detection import (
    denoiser_family,
    encoder_family,
    looks,
    lora_family,
    vae_family,
)
from nodes.models.files.checkpoints import (
    read_checkpoint,
    read_denoiser,
    read_vae,
)
from nodes.models.files.clip_files import ENCODER_TITLES, read_text_encoders
from nodes.models.files.tensor_files import Header, ModelFileError, read_header
from nodes.models.files.unfit import REASONS
from nodes.models.images.upscaler import read_upscaler
from nodes.models.networks.control_net import DIFFERENCE, OTHERS, read_control_net
from nodes.models.networks.denoiser import Denoiser
from nodes.models.networks.gligen import read_gligen
from nodes.models.networks.hypernetworks import WEIGHT
from nodes.models.networks.lora import read_adapters
from nodes.models.networks.lora_names import is_of_text
from nodes.models.networks.network import Handle
from nodes.models.networks.torch_devices import TorchDevices
from nodes.models.sampling.sigma_space import Discrete
from nodes.models.text.encoder_files import language_models
from nodes.models.text.text_encoder import TextEncoder
from nodes.models.vae.handles import vae_of

KINDS = {
    "LoRA": ("up", "down"),
    "LoCon with a core": ("mid",),
    "LoHa": ("w1_a",),
    "LoKr": ("lokr_w1", "lokr_w1_a"),
    "GLoRA": ("a1",),
    "OFT or BOFT": ("oft", "oft_r"),
    "IA3": ("ia3", "on_input"),
    "DoRA": ("dora", "magnitude"),
    "differences": ("diff", "diff_b"),
    "new values": ("set",),
}
"""Kinds of adapters, by roles of tensors (see `lora_names`), any one of which identifies them."""
LORA_WIDTHS = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "SDXL"}
"""Whose text a LoRA's attention reads, by its width."""
EMBEDDING = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 1280: "SDXL"}
NOT_STEERING = tuple(sign for sign, _ in OTHERS)
"""How names begin in files that steer models, and cannot be loaded."""
LARGEST_EMBEDDING = 1 << 20


@dataclass(frozen=True)
class Inspected:
    """What a file is.

    Attributes:
        type: "checkpoint", "diffusion model", "LoRA", "ControlNet", ...
        family: of models that it is one of, or is for; None where that is not known.
        networks: what can be loaded of it, by a title.
        details: more that is known, by a title.
        complaint: why it cannot be loaded; None where it can.
    """

    type: str
    family: str | None = None
    networks: Mapping[str, Any] = field(default_factory=dict[str, Any])
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    complaint: str | None = None


def inspect(path: Path) -> dict[str, Any]:
    """What a file, or a diffusers folder, is, as values for JSON.

    Returns:
        "file", "type", "family", "parameters", "dtypes" (numbers in each format), "bytes" of the
        file, "networks" (each with parameters, and its bytes in memory on each device), "needs"
        (the sum of these), "details", and "complaint" where it cannot be loaded.
    """
    headers: list[Header] = []
    try:
        found = _folder(path, headers) if path.is_dir() else _file(path, headers)
    except ModelFileError as error:
        found = Inspected("unknown", complaint=str(error))
    devices = ["cpu", *TorchDevices().accelerators()]
    networks = {title: _network(handle, devices) for title, handle in found.networks.items()}
    formats: Counter[str] = Counter()
    for header in headers:
        for name, count in header.sizes.items():
            formats[header.format(name)] += count
    return {
        "file": str(path),
        "type": found.type,
        "family": found.family,
        "parameters": sum(formats.values()),
        "dtypes": dict(formats.most_common()),
        "bytes": sum(_size(header.path) for header in headers),
        "networks": networks,
        "needs": {d: sum(one["bytes"][d] for one in networks.values()) for d in devices},
        "details": dict(found.details),
        "complaint": found.complaint,
    }


def _network(handle: Any, devices: Sequence[str]) -> dict[str, Any]:
    parameters = (
        handle.source.parameters
        if isinstance(handle, Handle)
        else sum(handle.header.sizes.values())
    )
    return {"parameters": parameters, "bytes": {d: handle.nbytes(d) for d in devices}}


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _folder(path: Path, headers: list[Header]) -> Inspected:
    found = read_checkpoint(path)
    seeing = vision_encoder_in(path)
    more = [] if seeing is None else [seeing.source]
    for source in (found.denoiser.source, found.text_encoder.source, found.vae, *more):
        headers.extend(source.header.members.values() or [source.header])
    return _checkpoint(path)


def _file(path: Path, headers: list[Header]) -> Inspected:
    header = read_header(path)
    headers.append(header)
    complaints: dict[str, str] = {}
    for role, read in READERS.items():
        try:
            if (found := read(header)) is not None:
                return found
        except ModelFileError as error:
            complaints[role] = str(error)
    return _other(header, complaints)


def _other(header: Header, complaints: Mapping[str, str]) -> Inspected:
    """A file that no reader takes: what it looks like, and why it cannot be loaded."""
    shapes = header.shapes
    for role, type, family in (
        ("model", "checkpoint or diffusion model", denoiser_family(shapes)),
        ("vae", "VAE", vae_family(shapes)),
        ("encoder", "text encoder", encoder_family(shapes)),
    ):
        if family is not None:
            return Inspected(type, family, complaint=REASONS[role](header.path, shapes))
    if (refused := complaints.get("LoRA")) is not None and "adapter" in refused:
        return Inspected("LoRA", lora_family(shapes), complaint=refused)
    return Inspected(
        "unknown",
        complaint=f"{header.path}: it looks like {looks(shapes)}, which cannot be loaded here",
    )


def _denoiser(header: Header) -> Inspected | None:
    found = read_denoiser(header.path)
    whole = read_checkpoint(header.path)
    if whole.text_encoder.source.pieces or whole.vae.pieces:
        return _checkpoint(header.path)
    model = Denoiser.of(found)
    return Inspected("diffusion model", found.family.name, {"UNet": model}, _sampling(model))


def _checkpoint(path: Path) -> Inspected:
    found = read_checkpoint(path)
    model, clip = Denoiser.of(found.denoiser), TextEncoder.of(found.text_encoder)
    networks: dict[str, Any] = {"UNet": model}
    there = [ENCODER_TITLES.get(name, name) for name in found.text_encoder.source.config]
    if there:
        networks[f"text encoder ({', '.join(there)})"] = clip
    if found.vae.pieces:
        networks["VAE"] = vae_of(found.vae)
    if (seeing := vision_encoder_in(path)) is not None:
        networks["vision encoder"] = seeing
    absent = [
        ENCODER_TITLES[e.name]
        for e in found.text_encoder.encoders
        if e.name not in found.text_encoder.source.config
    ]
    absent += [] if found.vae.pieces else ["VAE"]
    details = {**_sampling(model), **({"without": ", ".join(absent)} if absent else {})}
    return Inspected("checkpoint", found.denoiser.family.name, networks, details)


def _sampling(model: Denoiser) -> dict[str, Any]:
    space = model.space
    predicts = space.prediction if isinstance(space, Discrete) else type(space).__name__
    extra = int(model.source.config.get("in_channels", 0)) - model.latent.channels
    uses = {5: "inpainting", 4: "editing of pictures"}
    by_text = extra in uses and model.family.encoders
    return {"predicts": predicts, **({"for": uses[extra]} if by_text else {})}


def _text(header: Header) -> Inspected | None:
    if (models := language_models(header)) and (found := next(iter(models.values()))):
        seeing = {"sees": "pictures"} if found.layout.sees else {}
        return Inspected("text encoder", found.layout.title, {"text encoder": found}, seeing)
    clip = TextEncoder.of(read_text_encoders([header.path]))
    there = ", ".join(ENCODER_TITLES[encoder.name] for encoder in clip.encoders)
    return Inspected("text encoder", there, {"text encoder": clip})


def _vae(header: Header) -> Inspected | None:
    return Inspected("VAE", vae_family(header.shapes), {"VAE": vae_of(read_vae(header.path))})


def _control(header: Header) -> Inspected | None:
    layout = control_layout(header.shapes)
    if layout is not None and DIFFERENCE in header.shapes:
        return Inspected("ControlNet", None, {}, {"load it with": "DiffControlNetLoader"})
    if layout is None and any(name.startswith(NOT_STEERING) for name in header.shapes):
        complaint = _complaint(read_control_net, header.path)
        return Inspected("ControlNet", None, complaint=complaint)
    net = read_control_net(header.path)
    kind = {"adapter": "T2I adapter", "union": "union ControlNet"}.get(net.layout.kind)
    return Inspected(kind or "ControlNet", None, {"ControlNet": net})


def _complaint(read: Callable[[Path], Any], path: Path) -> str | None:
    """What a reader says against a file."""
    try:
        read(path)
    except ModelFileError as error:
        return str(error)
    return None


def _hypernetwork(header: Header) -> Inspected | None:
    found = [match for name in header.shapes if (match := WEIGHT.fullmatch(name))]
    widths = sorted({int(match[1]) for match in found})
    if not found or len(found) * 3 < len(header.shapes):
        return None
    return Inspected("hypernetwork", None, {}, {"widths": [str(width) for width in widths]})


def _upscaler(header: Header) -> Inspected | None:
    found: Any = read_upscaler(header.path)
    return Inspected("upscale model", None, {"upscale model": getattr(found, "restorer", found)})


def _reading(type: str, read: Callable[[Path], Any]) -> Callable[[Header], Inspected | None]:
    """A reader whose networks say no more of themselves."""
    return lambda header: Inspected(type, None, {type: read(header.path)})


def _lora(header: Header) -> Inspected | None:
    adapters = read_adapters(header)
    roles = {role for of_one in adapters.modules.values() for role in of_one}
    kinds = [kind for kind, signs in KINDS.items() if roles & {*signs}]
    halves = {"text encoder" if is_of_text(name) else "denoiser" for name in adapters.modules}
    family = lora_family(header.shapes)
    details = {
        "kinds": kinds,
        "halves": sorted(halves),
        "modules": len(adapters.modules),
        "unread tensors": len(adapters.unread),
    }
    complaint = REASONS["lora"](header.path, header.shapes)
    if family is None:
        family = next((LORA_WIDTHS[w] for w in _text_widths(header) if w in LORA_WIDTHS), None)
    return Inspected("LoRA", family, details=details, complaint=complaint)


def _text_widths(header: Header) -> Iterator[int]:
    """How wide the text is that attentions of a LoRA read."""
    for name, shape in header.shapes.items():
        reads = "attn2_to_k" in name or "attn2.to_k" in name or "attn2.processor.to_k" in name
        if reads and len(shape) > 1 and ("down" in name or "lora_A" in name):
            yield shape[1]


def _embedding(header: Header) -> Inspected | None:
    shapes = {name: shape for name, shape in header.shapes.items() if len(shape) in (1, 2)}
    known = [EMBEDDING[shape[-1]] for shape in shapes.values() if shape[-1] in EMBEDDING]
    small = sum(header.sizes.values()) <= LARGEST_EMBEDDING and len(header.shapes) <= 4
    if not known or not small or any(name.endswith((".weight", ".bias")) for name in shapes):
        return None
    count = max(shape[0] if len(shape) == 2 else 1 for shape in shapes.values())
    return Inspected("embedding", "SDXL" if "SDXL" in known else known[0], {}, {"vectors": count})


READERS: Mapping[str, Callable[[Header], Inspected | None]] = {
    "model": _denoiser,
    "ControlNet": _control,
    "embedding": _embedding,
    "hypernetwork": _hypernetwork,
    "GLIGEN": _reading("GLIGEN", read_gligen),
    "PhotoMaker": _reading("PhotoMaker", read_photomaker),
    "style model": _reading("style model", read_style_model),
    "vision encoder": _reading("vision encoder", read_vision_encoder),
    "encoder": _text,
    "VAE": _vae,
    "LoRA": _lora,
    "upscaler": _upscaler,
}
"""Tried in this order: the first that knows the file says what it is."""
