"""Nodes that split, join and repeat batches of pictures and of latents."""

from __future__ import annotations

from functools import reduce
from typing import Annotated

from engine import All, Choice, Each, Range, Slots, Tooltip, node
from nodes.sockets import Image, Latent
from nodes.widgets import BatchSize

FewLatents = Annotated[int, Range(1, 64), Tooltip("How many.")]
First = Annotated[Image, Tooltip("The first pictures, which give the size.")]
Second = Annotated[Image, Tooltip("The second pictures.")]


@node("ImageBatch", category="image", display_name="Batch Images")
def batch_images(*, image1: First, image2: Second) -> Image:
    """Both in one batch, the second at the size of the first."""
    from nodes.models.images.batches import joined

    return joined(image1, image2)


@node("BatchImagesNode", category="image/batch", display_name="Batch Images")
def batch_many(
    *,
    images: Annotated[
        dict[str, Image], Slots("image", max=50), Tooltip("Pictures, 50 batches at most.")
    ],
) -> Image:
    """Pictures in one batch, all at the size of the first."""
    from nodes.models.images.batches import joined

    return reduce(joined, images.values())


@node("ImageFromBatch", category="image/batch")
def image_from_batch(
    *,
    image: Image,
    batch_index: Annotated[int, Range(0, 4095), Tooltip("Of the first, counted from 0.")] = 0,
    length: BatchSize = 1,
) -> Image:
    """Some pictures of a batch in a row, as many as there are."""
    from nodes.models.images.batches import part

    return part(image, batch_index, length)


@node("RepeatImageBatch", category="image/batch")
def repeat_images(
    *, image: Image, amount: Annotated[BatchSize, Tooltip("How many times.")] = 1
) -> Image:
    """A batch several times in a row."""
    from nodes.models.images.batches import repeated

    return repeated(image, amount * len(image))


@node("RebatchImages", category="image/batch")
def rebatch_images(*, images: All[Image], batch_size: BatchSize = 1) -> Each[Image]:
    """Pictures in batches of another size, which run one by one."""
    from nodes.models.images.batches import regrouped

    return regrouped(images, batch_size)


@node("LatentFromBatch", category="latent/batch")
def latent_from_batch(
    *,
    samples: Latent,
    batch_index: Annotated[int, Range(0, 63), Tooltip("Of the first, counted from 0.")] = 0,
    length: FewLatents = 1,
) -> Latent:
    """Some latents of a batch in a row; each is given the noise it has in the whole batch."""
    from nodes.models.latents.latents import part

    return part(samples, batch_index, length)


@node("RepeatLatentBatch", category="latent/batch")
def repeat_latents(
    *, samples: Latent, amount: Annotated[FewLatents, Tooltip("How many times.")] = 1
) -> Latent:
    """A batch of latents several times in a row."""
    from nodes.models.latents.latents import multiplied

    return multiplied(samples, amount)


@node("LatentBatch", category="latent/batch")
def batch_latents(
    *,
    samples1: Annotated[Latent, Tooltip("The first, which give the size.")],
    samples2: Annotated[Latent, Tooltip("The second.")],
) -> Latent:
    """Both in one batch, the second at the size of the first."""
    from nodes.models.latents.latents import joined

    return joined(samples1, samples2)


@node("LatentBatchSeedBehavior", category="latent/advanced")
def seed_behavior(
    *,
    samples: Latent,
    seed_behavior: Annotated[
        str, Choice(("random", "fixed")), Tooltip("fixed: the same noise for all of the batch.")
    ] = "fixed",
) -> Latent:
    """Whether the latents of a batch get noise of their own."""
    from nodes.models.latents.latents import numbered

    return numbered(samples, alike=seed_behavior == "fixed")


@node("RebatchLatents", category="latent/batch")
def rebatch_latents(*, latents: All[Latent], batch_size: BatchSize = 1) -> Each[Latent]:
    """Latents in batches of another size, which run one by one."""
    from nodes.models.latents.latents import regrouped

    return [*regrouped(latents, batch_size)]
