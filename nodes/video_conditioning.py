"""Nodes for models of videos that are given frames: at their ends, or a video that controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

from engine import CPU, GPU, Choice, Range, Run, Steps, Tooltip, node
from nodes.progress import steps
from nodes.sockets import Conditioning, Image, Latent, Vae
from nodes.vision import Seen
from nodes.widgets import BatchSize

if TYPE_CHECKING:
    from torch import Tensor

Positive = Annotated[Conditioning, Tooltip("What the video shall show.")]
Negative = Annotated[Conditioning, Tooltip("What it shall not show.")]
Side16 = Annotated[int, Range(16, 16384, 16), Tooltip("In pixels.")]
Side32 = Annotated[int, Range(32, 16384, 32), Tooltip("In pixels.")]
Length = Annotated[int, Range(1, 16384, 4), Tooltip("In frames.")]
Start = Annotated[Image | None, Tooltip("The first frame, or several.")]
End = Annotated[Image | None, Tooltip("The last frame, or several.")]
SeenStart = Annotated[Seen | None, Tooltip("What CLIP-H sees in the first frame (Wan 2.1).")]
SeenEnd = Annotated[Seen | None, Tooltip("What CLIP-H sees in the last frame (Wan 2.1).")]

WAN, WAN_FACTOR = 16, 8
"""Channels of Wan's latents, and pixels along a side of a cell."""


class Given(NamedTuple):
    """What the sampler of such a model needs."""

    positive: Conditioning
    negative: Conditioning
    latent: Latent


def _length(frames: int) -> int:
    """Latent frames of so many."""
    return (frames - 1) // 4 + 1


def _blank(*shape: int) -> Tensor:
    import torch

    from nodes.models.memory import ask_for

    ask_for("latents", *shape)
    return torch.zeros(shape)


def _between(
    run: Run,
    pair: tuple[Conditioning, Conditioning],
    vae: Vae,
    sizes: tuple[int, int, int, int],
    ends: tuple[Image | None, Image | None],
    seen: Seen | None,
) -> Steps[Given]:
    """Conditionings for a video of (width, height, length, count) with given ends."""
    from nodes.models.conditioning.given_frames import changing, gray_video, with_options

    width, height, length, count = sizes
    start, end = ends
    blank = _blank(count, WAN, _length(length), height // WAN_FACTOR, width // WAN_FACTOR)
    latents = mask = None
    if start is not None or end is not None:
        video = gray_video(length, width, height, start, end)
        latents = yield from steps(vae.encoding(video, run.warn))
        given = [0 if one is None else min(len(one), length) for one in ends]
        mask = changing(latents.shape[2:], *given)
    both = [
        with_options(each, concat_latent_image=latents, concat_mask=mask, clip_vision_output=seen)
        for each in pair
    ]
    return Given(both[0], both[1], {"samples": blank})


@node("WanImageToVideo", category="conditioning/video_models", on=GPU | CPU)
def wan_image(
    run: Run,
    *,
    positive: Positive,
    negative: Negative,
    vae: Vae,
    width: Side16 = 832,
    height: Side16 = 480,
    length: Length = 81,
    batch_size: BatchSize = 1,
    clip_vision_output: SeenStart = None,
    start_image: Start = None,
) -> Steps[Given]:
    """What Wan is given for a video that begins with a picture."""
    sizes = width, height, length, batch_size
    pair = positive, negative
    return (yield from _between(run, pair, vae, sizes, (start_image, None), clip_vision_output))


@node("WanFirstLastFrameToVideo", category="conditioning/video_models", on=GPU | CPU)
def wan_first_last(
    run: Run,
    *,
    positive: Positive,
    negative: Negative,
    vae: Vae,
    width: Side16 = 832,
    height: Side16 = 480,
    length: Length = 81,
    batch_size: BatchSize = 1,
    clip_vision_start_image: SeenStart = None,
    clip_vision_end_image: SeenEnd = None,
    start_image: Start = None,
    end_image: End = None,
) -> Steps[Given]:
    """What Wan is given for a video that begins with a picture and ends with another."""
    from nodes.models.conditioning.given_frames import both_seen

    seen = both_seen(clip_vision_start_image, clip_vision_end_image)
    sizes = width, height, length, batch_size
    pair = positive, negative
    return (yield from _between(run, pair, vae, sizes, (start_image, end_image), seen))


@node("WanFunInpaintToVideo", category="conditioning/video_models", on=GPU | CPU)
def wan_fun_inpaint(
    run: Run,
    *,
    positive: Positive,
    negative: Negative,
    vae: Vae,
    width: Side16 = 832,
    height: Side16 = 480,
    length: Length = 81,
    batch_size: BatchSize = 1,
    clip_vision_output: SeenStart = None,
    start_image: Start = None,
    end_image: End = None,
) -> Steps[Given]:
    """What Wan Fun InP is given for a video between two pictures."""
    sizes = width, height, length, batch_size
    ends, pair = (start_image, end_image), (positive, negative)
    return (yield from _between(run, pair, vae, sizes, ends, clip_vision_output))


@node("WanFunControlToVideo", category="conditioning/video_models", on=GPU | CPU)
def wan_fun_control(
    run: Run,
    *,
    positive: Positive,
    negative: Negative,
    vae: Vae,
    width: Side16 = 832,
    height: Side16 = 480,
    length: Length = 81,
    batch_size: BatchSize = 1,
    clip_vision_output: SeenStart = None,
    start_image: Start = None,
    control_video: Annotated[Image | None, Tooltip("Edges, depth, poses: frame by frame.")] = None,
) -> Steps[Given]:
    """What Wan Fun Control is given for a video that follows another and begins with a picture."""
    import torch

    from nodes.models.conditioning.given_frames import at_size, with_options
    from nodes.models.latents.video_formats import WAN as FORMAT

    blank = _blank(batch_size, WAN, _length(length), height // WAN_FACTOR, width // WAN_FACTOR)
    parts: list[Tensor] = []
    for pictures in (control_video, start_image):
        # What the network sees as zeros, where nothing is given.
        part = FORMAT.process_out(torch.zeros_like(blank[:1]))
        if pictures is not None:
            video = at_size(pictures, width, height, length)
            made = yield from steps(vae.encoding(video, run.warn))
            part[:, :, : made.shape[2]] = made
        parts.append(part)
    latents = torch.cat(parts, dim=1)
    both = [
        with_options(each, concat_latent_image=latents, clip_vision_output=clip_vision_output)
        for each in (positive, negative)
    ]
    return Given(both[0], both[1], {"samples": blank})


@node("Wan22ImageToVideoLatent", category="conditioning/inpaint", on=GPU | CPU)
def wan22_latent(
    run: Run,
    *,
    vae: Vae,
    width: Side32 = 1280,
    height: Side32 = 704,
    length: Length = 49,
    batch_size: BatchSize = 1,
    start_image: Start = None,
) -> Steps[Latent]:
    """Latents of Wan 2.2 5B, which keep a picture that the video begins with."""
    import torch

    from nodes.models.conditioning.given_frames import at_size

    blank = _blank(batch_size, 48, _length(length), height // 16, width // 16)
    if start_image is None:
        return {"samples": blank}
    video = at_size(start_image, width, height, length)
    made = yield from steps(vae.encoding(video, run.warn))
    blank[:, :, : made.shape[2]] = made
    mask = torch.ones(1, 1, *blank.shape[2:])
    mask[:, :, : made.shape[2]] = 0
    return {"samples": blank, "noise_mask": mask}


@node(
    "HunyuanVideo15ImageToVideo",
    category="model/conditioning/hunyuan video",
    display_name="Hunyuan Video 1.5 Image To Video",
    on=GPU | CPU,
)
def hunyuan15_image(
    run: Run,
    *,
    positive: Positive,
    negative: Negative,
    vae: Vae,
    width: Side16 = 848,
    height: Side16 = 480,
    length: Length = 33,
    batch_size: BatchSize = 1,
    start_image: Start = None,
    clip_vision_output: Annotated[Seen | None, Tooltip("What SigLIP sees in it.")] = None,
) -> Steps[Given]:
    """What HunyuanVideo 1.5 is given for a video that begins with a picture."""
    from nodes.models.conditioning.given_frames import with_options

    blank = _blank(batch_size, 32, _length(length), height // 16, width // 16)
    latents, mask = yield from _begun(run, vae, blank, start_image, (width, height, length))
    both = [
        with_options(
            each,
            concat_latent_image=latents,
            concat_mask=mask,
            clip_vision_output=clip_vision_output,
        )
        for each in (positive, negative)
    ]
    return Given(both[0], both[1], {"samples": blank})


class GivenPositive(NamedTuple):
    """What the sampler of a model that is given its guidance needs."""

    positive: Conditioning
    latent: Latent


KINDS = ("v1 (concat)", "v2 (replace)", "custom")


@node("HunyuanImageToVideo", category="conditioning/video_models", on=GPU | CPU)
def hunyuan_image(
    run: Run,
    *,
    positive: Positive,
    vae: Vae,
    width: Side16 = 848,
    height: Side16 = 480,
    length: Length = 53,
    batch_size: BatchSize = 1,
    guidance_type: Annotated[
        str, Choice(KINDS), Tooltip("How the network was trained; concat is supported.")
    ],
    start_image: Start = None,
) -> Steps[GivenPositive]:
    """What HunyuanVideo is given for a video that begins with a picture."""
    from nodes.models.conditioning.given_frames import with_options

    blank = _blank(batch_size, 16, _length(length), height // 8, width // 8)
    latents, mask = yield from _begun(run, vae, blank, start_image, (width, height, length))
    options = {"concat_latent_image": latents, "concat_mask": mask}
    if guidance_type != KINDS[0]:
        options = {"guiding_frame_index": 0, "ref_latent": latents}
    return GivenPositive(with_options(positive, **options), {"samples": blank})


def _begun(
    run: Run, vae: Vae, blank: Tensor, start: Image | None, sizes: tuple[int, int, int]
) -> Steps[tuple[Tensor | None, Tensor | None]]:
    """Latents of a video that begins with a picture, and a mask, 1 elsewhere; None: no picture."""
    import torch

    from nodes.models.conditioning.given_frames import at_size

    if start is None:
        return None, None
    made = yield from steps(vae.encoding(at_size(start, *sizes), run.warn))
    latents, mask = torch.zeros_like(blank[:1]), torch.ones_like(blank[:1, :1])
    latents[:, :, : made.shape[2]] = made
    mask[:, :, : made.shape[2]] = 0
    return latents, mask


@node("LTXVImgToVideo", category="conditioning/video_models", on=GPU | CPU)
def ltxv_image(
    run: Run,
    *,
    positive: Positive,
    negative: Negative,
    vae: Vae,
    image: Annotated[Image, Tooltip("The first frame, or several.")],
    width: Annotated[int, Range(64, 16384, 32), Tooltip("In pixels.")] = 768,
    height: Annotated[int, Range(64, 16384, 32), Tooltip("In pixels.")] = 512,
    length: Annotated[int, Range(9, 16384, 8), Tooltip("In frames.")] = 97,
    batch_size: BatchSize = 1,
    strength: Annotated[float, Range(0.0, 1.0), Tooltip("How much of the picture is kept.")] = 1.0,
) -> Steps[Given]:
    """Latents of LTX-Video, which keep a picture that the video begins with."""
    import torch

    from nodes.models.conditioning.given_frames import at_size

    blank = _blank(batch_size, 128, (length - 1) // 8 + 1, height // 32, width // 32)
    made = yield from steps(vae.encoding(at_size(image, width, height, length), run.warn))
    blank[:, :, : made.shape[2]] = made
    mask = torch.ones(batch_size, 1, blank.shape[2], 1, 1)
    mask[:, :, : made.shape[2]] = 1 - strength
    return Given(positive, negative, {"samples": blank, "noise_mask": mask})


class Changed(NamedTuple):
    """Latents that keep a picture."""

    latent: Latent


@node("LTXVImgToVideoInplace", category="model/conditioning/ltxv", on=GPU | CPU)
def ltxv_in_place(
    run: Run,
    *,
    vae: Vae,
    image: Annotated[Image, Tooltip("The first frame, or several.")],
    latent: Latent,
    strength: Annotated[float, Range(0.0, 1.0), Tooltip("How much of the picture is kept.")] = 1.0,
    bypass: Annotated[bool, Tooltip("Leave the latents as they are.")] = False,
) -> Steps[Changed]:
    """Latents of a video whose first frames are a picture that is kept."""
    import torch

    from nodes.models.conditioning.given_frames import at_size

    if bypass:
        return Changed(latent)
    samples = latent["samples"].clone()
    sides = (int(side) * vae.factor for side in samples.shape[:-3:-1])
    made = yield from steps(vae.encoding(at_size(image, *sides), run.warn))
    made = made[:, :, : samples.shape[2]]
    samples[:, :, : made.shape[2]] = made
    known = latent.get("noise_mask")
    mask = torch.ones(len(samples), 1, samples.shape[2], 1, 1)
    if known is not None and known.ndim == 5:
        mask = known.expand(len(samples), -1, samples.shape[2], -1, -1).clone()
    mask[:, :, : made.shape[2]] = 1 - strength
    return Changed({**latent, "samples": samples, "noise_mask": mask})
