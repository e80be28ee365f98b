"""Nodes for pictures: files in and out, sizes, colours."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from engine import Artifact, Choice, Files, FolderKind, Run, Tooltip, Upload, node
from nodes.metadata import made_by
from nodes.sockets import Image, Mask
from nodes.widgets import BatchSize, ColorNumber, Crop, FreeSide, Length, Prefix, ScaleMethod

PICTURES = (
    ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif",
)  # fmt: skip


@node("SaveImage", category="image", display_name="Save Image", passes=("images",))
def save_image(
    run: Run,
    *,
    images: Annotated[Image, Tooltip("The pictures to keep.")],
    filename_prefix: Prefix = "ComfyUI",
) -> Artifact:
    """Keep pictures as PNG files, with their workflow inside, in the output folder."""
    return _saved(run, images, filename_prefix, "output", compression=4)


@node("PreviewImage", category="image", display_name="Preview Image", passes=("images",))
def preview_image(run: Run, *, images: Image) -> Artifact:
    """Show pictures without keeping them."""
    return _saved(run, images, "ComfyUI_temp", "temp", compression=1)


def _saved(
    run: Run, images: Image, prefix: str, folder: FolderKind, *, compression: int
) -> Artifact:
    from nodes.models.images.pictures import to_bytes
    from nodes.models.images.png import png

    texts = made_by(run)
    files = [
        run.save(
            prefix,
            "png",
            png(pixels, texts, compression=compression),
            folder=folder,
            batch_number=number,
            width=pixels.shape[1],
            height=pixels.shape[0],
        )
        for number, pixels in enumerate(to_bytes(images))
    ]
    return Artifact(images=files)


class Loaded(NamedTuple):
    """A picture and its transparency."""

    IMAGE: Image
    MASK: Mask


@node("LoadImage", category="image", display_name="Load Image")
def load_image(
    run: Run,
    *,
    image: Annotated[
        str,
        Choice(Files("input", suffixes=PICTURES)),
        Upload("image"),
        Tooltip("A file of the input folder; drop or paste one here."),
    ],
) -> Loaded:
    """Read a picture of the input folder; the mask is where it is transparent."""
    from nodes.models.images.pictures import read

    return Loaded(*read(run.input_path(image), run.warn))


@node("LoadImageOutput", category="image", display_name="Load Image (from Outputs)")
def load_output(
    run: Run,
    *,
    image: Annotated[
        str,
        Choice(Files("output", suffixes=PICTURES)),
        Upload("image"),
        Tooltip("A file of the output folder; drop or paste one here."),
    ],
) -> Loaded:
    """Read a picture of the output folder; the mask is where it is transparent."""
    return load_image(run, image=image)


@node("ImageScale", category="image/upscaling", display_name="Upscale Image")
def scale_image(
    *,
    image: Image,
    upscale_method: ScaleMethod,
    width: FreeSide = 512,
    height: FreeSide = 512,
    crop: Crop,
) -> Image:
    """Pictures at another size."""
    from nodes.models.images.pictures import scaled

    return scaled(image, upscale_method, width, height, crop=crop == "center")


@node("ImageInvert", category="image", display_name="Invert Image")
def invert_image(*, image: Image) -> Image:
    """Each colour to its opposite."""
    return 1.0 - image


@node("EmptyImage", category="image", display_name="Empty Image")
def empty_image(
    *,
    width: Length = 512,
    height: Length = 512,
    batch_size: BatchSize = 1,
    color: ColorNumber = 0,
) -> Image:
    """Pictures of one colour."""
    from nodes.models.images.pictures import solid

    return solid(width, height, batch_size, color)
