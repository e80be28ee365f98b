"""Nodes that keep, send and compare pictures in more ways than Save Image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from engine import Artifact, Choice, File, Mark, Option, Range, Run, Tooltip, Widget, node
from nodes.image import preview_image
from nodes.metadata import made_by
from nodes.sockets import Image
from nodes.widgets import Prefix

if TYPE_CHECKING:
    from torch import Tensor


Space = Tooltip("What the numbers of the pictures mean.")


class Png(Option, key="png"):
    """Without loss, for every program."""

    bit_depth: Annotated[
        str, Choice(("8-bit", "16-bit")), Mark.ADVANCED, Tooltip("Of each colour.")
    ] = "8-bit"
    input_color_space: Annotated[str, Choice(("sRGB",)), Mark.ADVANCED, Space] = "sRGB"


class Exr(Option, key="exr"):
    """Numbers as they are, scene-linear."""

    bit_depth: Annotated[
        str,
        Choice(("16-bit float", "32-bit float")),
        Mark.ADVANCED,
        Tooltip("Of each colour; 32 keeps every digit."),
    ] = "16-bit float"
    input_color_space: Annotated[str, Choice(("sRGB", "HDR", "linear")), Mark.ADVANCED, Space] = (
        "sRGB"
    )


class Stills(Option, key="still images"):
    """A file for each picture."""


class Animated(Option, key="animated"):
    """All pictures in one file."""

    fps: Annotated[float, Range(0.01, 1000.0), Tooltip("Frames per second.")] = 6.0
    loop_count: Annotated[int, Range(0, 1000), Tooltip("0 goes on for ever.")] = 0


class Avif(Option, key="avif"):
    """Small."""

    bit_depth: Annotated[
        str, Choice(("auto", "8-bit YUV420", "10-bit YUV420")), Tooltip("Of each colour.")
    ] = "auto"
    input_color_space: Annotated[str, Choice(("sRGB", "HDR", "HDR PQ")), Space] = "sRGB"
    crf: Annotated[int, Range(1, 63), Tooltip("Lower is better and larger.")] = 18
    save_mode: Annotated[
        Stills | Animated, Tooltip("A file for each picture, or one video of all.")
    ]


Format = Annotated[
    Png | Exr | Avif, Tooltip("png for every program, exr for more than white, avif the smallest.")
]


@node(
    "SaveImageAdvanced",
    category="image",
    display_name="Save Image (Advanced)",
    passes=("images",),
)
def save_image(
    run: Run, *, images: Image, filename_prefix: Prefix = "ComfyUI", format: Format
) -> Artifact:
    """Keep pictures as PNG of 8 or 16 bits, OpenEXR or AVIF, with their workflow inside."""
    if isinstance(format, Avif) and isinstance(format.save_mode, Animated):
        data = _avif(run, [*images], format, format.save_mode)
        file = _saved(run, images, 0, filename_prefix, "avif", data)
        return Artifact(images=[file], animated=[True])
    files = [
        _saved(run, images, number, filename_prefix, format.key, _written(run, picture, format))
        for number, picture in enumerate(images)
    ]
    return Artifact(images=files)


def _saved(run: Run, images: Image, number: int, prefix: str, extension: str, data: bytes) -> File:
    height, width = images.shape[1:3]
    return run.save(
        prefix, extension, data, batch_number=number, width=width, height=height, end=""
    )


def _written(run: Run, picture: Tensor, format: Png | Exr | Avif) -> bytes:
    from nodes.models.images.picture_files import exr, linear
    from nodes.models.images.pictures import to_bytes, to_words
    from nodes.models.images.png import png

    texts = made_by(run)
    match format:
        case Png(bit_depth="16-bit"):
            return png(to_words(picture), texts, compression=4)
        case Png():
            return png(to_bytes(picture), texts, compression=4)
        case Exr():
            scene = linear(picture, format.input_color_space)
            return exr(scene, texts, half=format.bit_depth.startswith("16"))
        case Avif():
            return _avif(run, [picture], format, Animated())


def _avif(run: Run, pictures: list[Tensor], format: Avif, pace: Animated) -> bytes:
    from nodes.models.images.picture_files import avif

    if format.bit_depth.startswith("10") or format.input_color_space != "sRGB":
        raise ValueError(
            "format: AVIF of 10 bits or in HDR cannot be written here; choose 8-bit YUV420 and "
            "sRGB, or the format exr"
        )
    return avif(pictures, made_by(run), crf=format.crf, fps=pace.fps, loops=pace.loop_count)


@node("SaveImageWebsocket", category="api/image", pure=False)
def send_image(run: Run, *, images: Image) -> Artifact:
    """Send pictures as PNG to whoever follows the job, without keeping them."""
    from nodes.models.images.pictures import to_bytes
    from nodes.models.images.png import png

    for pixels in to_bytes(images):
        run.send(png(pixels, {}, compression=1))
    return Artifact()


@node("ImageCompare", category="image", display_name="Compare Images", experimental=True)
def compare(
    run: Run,
    *,
    image_a: Annotated[Image | None, Tooltip("Seen left of the slider.")] = None,
    image_b: Annotated[Image | None, Tooltip("Seen right of the slider.")] = None,
    compare_view: Annotated[Any, Widget("IMAGECOMPARE"), Tooltip("For the editor alone.")],
) -> Artifact:
    """Show two batches of pictures over each other."""
    shown = {
        name: preview_image(run, images=images).shown["images"] if images is not None else []
        for name, images in (("a_images", image_a), ("b_images", image_b))
    }
    return Artifact(**shown)
