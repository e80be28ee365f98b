"""Nodes that let a picture steer what is drawn: its edges, depths, poses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, NamedTuple

from engine import Choice, Files, Range, Run, Socket, Tooltip, node
from nodes.sockets import Conditioning, Image, Mask, Model, Vae

if TYPE_CHECKING:
    from nodes.models.conditioning.control import ControlNet
else:
    ControlNet = Socket("CONTROL_NET", "A network by which a picture steers what is drawn.")

# As nodes.models.networks.control_net.UNION_TYPES, which needs torch.
UNION_TYPES = (
    "openpose",
    "depth",
    "hed/pidi/scribble/ted",
    "canny/lineart/anime_lineart/mlsd",
    "normal",
    "segment",
    "tile",
    "repaint",
)
ControlName = Annotated[str, Choice(Files("controlnet")), Tooltip("A file in models/controlnet.")]
Strength = Annotated[float, Range(0.0, 10.0, 0.01), Tooltip("0 does not steer at all.")]
Start = Annotated[float, Range(0.0, 1.0, 0.001), Tooltip("Of the sampling; 0 is pure noise.")]
End = Annotated[float, Range(0.0, 1.0, 0.001), Tooltip("Of the sampling; 1 is the picture.")]
Hint = Annotated[Image, Tooltip("What steers, as the network knows it: edges, depths, poses.")]


class Pair(NamedTuple):
    """What is wanted, and what is not."""

    positive: Conditioning
    negative: Conditioning


@node("ControlNetLoader", category="loaders", display_name="Load ControlNet Model")
def load_control_net(run: Run, *, control_net_name: ControlName) -> ControlNet:
    """A ControlNet, a union ControlNet or a T2I adapter, for SD 1.x, SD 2.x or SDXL."""
    from nodes.models.conditioning.control import ControlNet
    from nodes.models.networks.control_net import read_control_net

    return ControlNet(read_control_net(run.model_path("controlnet", control_net_name)))


@node("DiffControlNetLoader", category="loaders", display_name="Load ControlNet Model (diff)")
def load_difference(
    run: Run,
    *,
    model: Annotated[Model, Tooltip("The denoiser that the file's differences are to.")],
    control_net_name: ControlName,
) -> ControlNet:
    """A ControlNet whose file holds its differences to a model's weights."""
    from nodes.models.conditioning.control import ControlNet
    from nodes.models.networks.control_net import read_control_net

    path = run.model_path("controlnet", control_net_name)
    return ControlNet(read_control_net(path, model.source))


@node(
    "ControlNetApplyAdvanced", category="conditioning/controlnet", display_name="Apply ControlNet"
)
def apply(
    *,
    positive: Conditioning,
    negative: Conditioning,
    control_net: ControlNet,
    image: Hint,
    strength: Strength = 1.0,
    start_percent: Start = 0.0,
    end_percent: End = 1.0,
    vae: Annotated[Vae | None, Tooltip("For networks that see latents.")] = None,
) -> Pair:
    """Let a picture steer what is drawn, for both texts; several may follow one another."""
    return _steered(positive, negative, (control_net, image, strength, start_percent, end_percent))


@node(
    "ControlNetApplySD3",
    category="conditioning/controlnet",
    display_name="Apply Controlnet with VAE",
    deprecated=True,
)
def apply_with_vae(
    *,
    positive: Conditioning,
    negative: Conditioning,
    control_net: ControlNet,
    vae: Annotated[Vae, Tooltip("For networks that see latents.")],
    image: Hint,
    strength: Strength = 1.0,
    start_percent: Start = 0.0,
    end_percent: End = 1.0,
) -> Pair:
    """As Apply ControlNet, by an older name."""
    return _steered(positive, negative, (control_net, image, strength, start_percent, end_percent))


@node(
    "ControlNetApply",
    category="conditioning/controlnet",
    display_name="Apply ControlNet (OLD)",
    deprecated=True,
)
def apply_to_one(
    *,
    conditioning: Conditioning,
    control_net: ControlNet,
    image: Hint,
    strength: Strength = 1.0,
) -> Conditioning:
    """Let a picture steer what is drawn; a negative text that nothing steers is steered as well."""
    from nodes.models.conditioning.control import Control, with_control

    if strength == 0:
        return conditioning
    return with_control([conditioning], Control(control_net, image, strength), shared=True)[0]


@node("SetUnionControlNetType", category="conditioning/controlnet")
def set_kind(
    *,
    control_net: ControlNet,
    type: Annotated[
        str, Choice(("auto", *UNION_TYPES)), Tooltip("auto: the network finds out by itself.")
    ],
) -> ControlNet:
    """Which kind of picture steers, for a ControlNet that knows several."""
    from nodes.models.networks.control_net import union_kind

    return replace(control_net, kind=union_kind(control_net.net, type))


@node(
    "ControlNetInpaintingAliMamaApply",
    category="conditioning/controlnet",
)
def apply_inpainting(
    *,
    positive: Conditioning,
    negative: Conditioning,
    control_net: ControlNet,
    vae: Annotated[Vae, Tooltip("For networks that see latents.")],
    image: Annotated[Image, Tooltip("The picture to change.")],
    mask: Annotated[Mask, Tooltip("Where something new is painted.")],
    strength: Strength = 1.0,
    start_percent: Start = 0.0,
    end_percent: End = 1.0,
) -> Pair:
    """As Apply ControlNet.

    The mask is for networks of FLUX and SD3 that take one; the loader takes none of these yet.
    """
    return _steered(positive, negative, (control_net, image, strength, start_percent, end_percent))


def _steered(
    positive: Conditioning,
    negative: Conditioning,
    given: tuple[ControlNet, Image, float, float, float],
) -> Pair:
    """Both steered by a network, its hint, at a strength, from a start to an end."""
    from nodes.models.conditioning.control import Control, with_control

    control = Control(*given)
    if control.strength == 0:
        return Pair(positive, negative)
    return Pair(*with_control([positive, negative], control))
