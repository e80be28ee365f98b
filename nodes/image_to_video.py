"""Nodes for models that are given a picture instead of a text: videos, objects from all sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from engine import CPU, GPU, Artifact, Choice, Files, Range, Run, Steps, Tooltip, node
from nodes.models.files.unfit import unfit_checkpoint
from nodes.progress import steps
from nodes.saving_models import CATEGORY, ToKeep, saved
from nodes.sockets import Conditioning, Image, Latent, Model, Vae
from nodes.vision import VisionEncoder
from nodes.widgets import BatchSize, Prefix

if TYPE_CHECKING:
    from torch import Tensor

InitImage = Annotated[Image, Tooltip("The picture to begin with; of several the first.")]
Side = Annotated[int, Range(16, 16384, 8), Tooltip("In pixels.")]
FrameCount = Annotated[int, Range(1, 4096), Tooltip("How many pictures.")]
Angle = Annotated[float, Range(-180.0, 180.0, 0.1), Tooltip("In degrees.")]
More = Annotated[float, Range(-180.0, 180.0, 0.1), Tooltip("Added from one to the next, degrees.")]


class ImageCheckpoint(NamedTuple):
    """What a checkpoint holds that is given pictures."""

    MODEL: Model
    CLIP_VISION: VisionEncoder
    VAE: Vae


class Given(NamedTuple):
    """What the sampler of such a model needs."""

    positive: Conditioning
    negative: Conditioning
    latent: Latent


@node(
    "ImageOnlyCheckpointLoader",
    category="loaders/video_models",
    display_name="Image Only Checkpoint Loader (img2vid model)",
)
def load_image_checkpoint(
    run: Run,
    *,
    ckpt_name: Annotated[
        str,
        Choice(Files("checkpoints", marker="model_index.json"), judge=unfit_checkpoint),
        Tooltip("A file, or a diffusers folder, in models/checkpoints."),
    ],
) -> ImageCheckpoint:
    """Take the networks out of a checkpoint that is given a picture, as Stable Video Diffusion."""
    from nodes.models.conditioning.vision import vision_encoder_of
    from nodes.models.files.checkpoints import read_checkpoint
    from nodes.models.networks.denoiser import Denoiser
    from nodes.models.vae.handles import vae_of

    path = run.model_path("checkpoints", ckpt_name)
    found = read_checkpoint(path)
    return ImageCheckpoint(Denoiser.of(found.denoiser), vision_encoder_of(path), vae_of(found.vae))


@node(
    "ImageOnlyCheckpointSave",
    category=CATEGORY,
    display_name="Image Only Checkpoint Save",
    on=GPU | CPU,
    loads=False,
)
def save_image_checkpoint(
    run: Run,
    *,
    model: Annotated[Model, ToKeep],
    clip_vision: VisionEncoder,
    vae: Vae,
    filename_prefix: Prefix = "checkpoints/ComfyUI",
) -> Artifact:
    """Keep a denoiser, a vision encoder and an autoencoder in one file."""
    given = {"model": model, "clip_vision": clip_vision, "vae": vae}
    return saved(run, filename_prefix, given, prefixed=True)


@node("SVD_img2vid_Conditioning", category="conditioning/video_models", on=GPU | CPU)
def for_video(
    run: Run,
    *,
    clip_vision: VisionEncoder,
    init_image: InitImage,
    vae: Vae,
    width: Side = 1024,
    height: Side = 576,
    video_frames: FrameCount = 14,
    motion_bucket_id: Annotated[int, Range(1, 1023), Tooltip("How much moves.")] = 127,
    fps: Annotated[int, Range(1, 1024), Tooltip("Frames a second.")] = 6,
    augmentation_level: Annotated[
        float, Range(0.0, 10.0, 0.01), Tooltip("Noise on the picture: more lets more move.")
    ] = 0.0,
) -> Steps[Given]:
    """What Stable Video Diffusion is given for a picture to move."""
    import torch

    picture = _at_size(init_image, width, height)
    seen = clip_vision.see(init_image[:1], crop=True).image_embeds[:, None]
    if augmentation_level > 0:
        noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))
        picture = picture + noise * augmentation_level / 2  # of pictures of -1..1
    latents = yield from steps(vae.encoding(picture, run.warn))
    numbers = {
        "motion_bucket_id": motion_bucket_id,
        "fps": fps,
        "augmentation_level": augmentation_level,
    }
    return _given(seen, latents, numbers, (video_frames, 4, height // 8, width // 8))


@node("StableZero123_Conditioning", category="conditioning/3d_models", on=GPU | CPU)
def for_view(
    run: Run,
    *,
    clip_vision: VisionEncoder,
    init_image: InitImage,
    vae: Vae,
    width: Side = 256,
    height: Side = 256,
    batch_size: BatchSize = 1,
    elevation: Angle = 0.0,
    azimuth: Angle = 0.0,
) -> Steps[Given]:
    """What Zero123 is given to see an object from elsewhere: from above, and from around it."""
    angles = [(elevation, azimuth)]
    picture = _at_size(init_image, width, height)
    latents = yield from steps(vae.encoding(picture, run.warn))
    shape = batch_size, 4, height // 8, width // 8
    return _given(_with_cameras(clip_vision, init_image, angles), latents, {}, shape)


@node("StableZero123_Conditioning_Batched", category="conditioning/3d_models", on=GPU | CPU)
def for_views(
    run: Run,
    *,
    clip_vision: VisionEncoder,
    init_image: InitImage,
    vae: Vae,
    width: Side = 256,
    height: Side = 256,
    batch_size: BatchSize = 1,
    elevation: Angle = 0.0,
    azimuth: Angle = 0.0,
    elevation_batch_increment: More = 0.0,
    azimuth_batch_increment: More = 0.0,
) -> Steps[Given]:
    """As StableZero123_Conditioning, each of the batch from another side."""
    angles = [
        (elevation + n * elevation_batch_increment, azimuth + n * azimuth_batch_increment)
        for n in range(batch_size)
    ]
    picture = _at_size(init_image, width, height)
    latents = yield from steps(vae.encoding(picture, run.warn))
    shape = batch_size, 4, height // 8, width // 8
    found = _given(_with_cameras(clip_vision, init_image, angles), latents, {}, shape)
    found.latent["batch_index"] = [0] * batch_size
    return found


@node("SV3D_Conditioning", category="conditioning/3d_models", on=GPU | CPU)
def for_orbit(
    run: Run,
    *,
    clip_vision: VisionEncoder,
    init_image: InitImage,
    vae: Vae,
    width: Side = 576,
    height: Side = 576,
    video_frames: FrameCount = 21,
    elevation: Annotated[float, Range(-90.0, 90.0, 0.1), Tooltip("In degrees.")] = 0.0,
) -> Steps[Given]:
    """What Stable Video 3D is given to see an object from all around it."""
    from nodes.models.conditioning.cameras import orbit

    picture = _at_size(init_image, width, height)
    seen = clip_vision.see(init_image[:1], crop=True).image_embeds[:, None]
    latents = yield from steps(vae.encoding(picture, run.warn))
    angles = {"elevation": [elevation] * video_frames, "azimuth": orbit(video_frames)}
    return _given(seen, latents, angles, (video_frames, 4, height // 8, width // 8))


@node("SD_4XUpscale_Conditioning", category="conditioning/upscale_diffusion")
def for_upscaler(
    *,
    images: Annotated[Image, Tooltip("The pictures to enlarge.")],
    positive: Annotated[Conditioning, Tooltip("What they show.")],
    negative: Annotated[Conditioning, Tooltip("What they do not.")],
    scale_ratio: Annotated[float, Range(0.0, 10.0, 0.01), Tooltip("So much larger.")] = 4.0,
    noise_augmentation: Annotated[
        float, Range(0.0, 1.0, 0.001), Tooltip("0: close to the pictures; 1: more is made up.")
    ] = 0.0,
) -> Given:
    """Texts, and pictures beside them, for the x4 upscaler of Stable Diffusion 2."""
    import torch

    from nodes.models.images.pictures import scaled

    height, width = (max(4, round(side * scale_ratio)) // 4 for side in images.shape[1:3])
    planes = scaled(images[..., :3], "bilinear", width, height, crop=True).movedim(-1, 1)
    extra = {"concat_image": planes * 2 - 1, "noise_augmentation": noise_augmentation}
    cond, uncond = (
        [(text, {**options, **extra}) for text, options in conditioning]
        for conditioning in (positive, negative)
    )
    return Given(cond, uncond, {"samples": torch.zeros(len(images), 4, height, width)})


def _at_size(image: Image, width: int, height: int) -> Image:
    """The first picture, cut about the centre and scaled."""
    from nodes.models.images.pictures import scaled

    return scaled(image[:1, ..., :3], "bilinear", width, height, crop=True)


def _with_cameras(vision: VisionEncoder, image: Image, angles: list[tuple[float, float]]) -> Tensor:
    """What is seen, and the way of the camera of each pair of elevation and azimuth, [n, 1, w]."""
    import torch

    from nodes.models.conditioning.cameras import camera

    seen = vision.see(image[:1], crop=True).image_embeds
    ways = torch.stack([camera(*pair) for pair in angles])
    return torch.cat([seen.expand(len(ways), -1), ways], dim=1)[:, None]


def _given(seen: Tensor, latents: Tensor, extra: dict[str, Any], shape: tuple[int, ...]) -> Given:
    """Conditionings with a picture beside them: as it is, and none of it."""
    import torch

    from nodes.models.memory import ask_for

    ask_for("latents", *shape)
    cond = (seen, {**extra, "concat_latent_image": latents})
    uncond = (torch.zeros_like(seen), {**extra, "concat_latent_image": torch.zeros_like(latents)})
    return Given([cond], [uncond], {"samples": torch.zeros(shape)})
