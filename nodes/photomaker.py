"""Nodes that put a person of pictures into a text (PhotoMaker)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from engine import CPU, GPU, Choice, Files, Prompt, Run, Socket, Tooltip, node
from nodes.sockets import Clip, Conditioning, Image

if TYPE_CHECKING:
    from nodes.models.conditioning.photomaker import PhotoMaker
else:
    PhotoMaker = Socket("PHOTOMAKER", "A network that puts who is in pictures into a text.")


@node("PhotoMakerLoader", category="_for_testing/photomaker", experimental=True)
def load_photomaker(
    run: Run,
    *,
    photomaker_model_name: Annotated[
        str, Choice(Files("photomaker")), Tooltip("A file in models/photomaker.")
    ],
) -> PhotoMaker:
    """A PhotoMaker model; its LoRA is loaded with Load LoRA."""
    from nodes.models.conditioning.photomaker import read_photomaker

    return read_photomaker(run.model_path("photomaker", photomaker_model_name))


@node(
    "PhotoMakerEncode",
    category="_for_testing/photomaker",
    on=GPU | CPU,
    experimental=True,
)
def encode_with_person(
    run: Run,
    *,
    photomaker: PhotoMaker,
    image: Annotated[Image, Tooltip("The person, in one picture or several.")],
    clip: Annotated[Clip, Tooltip("The text encoder of an SDXL checkpoint.")],
    text: Annotated[
        Prompt, Tooltip("The word before photomaker is the person: a man photomaker on a beach.")
    ] = "photograph of photomaker",
) -> Conditioning:
    """Encode a prompt whose trigger word becomes the person of some pictures."""
    from nodes.models.conditioning.photomaker import with_person
    from nodes.models.text.text_encoder import clip_alone

    return with_person(photomaker, clip_alone(clip), text, image, run.warn)
