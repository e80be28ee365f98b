"""Videos: pictures and sound in one file."""

from __future__ import annotations

import json
from typing import Annotated, NamedTuple

from engine import Artifact, Choice, Files, Range, Run, Tooltip, Upload, node
from nodes.metadata import made_by
from nodes.sockets import Audio, Image, Video
from nodes.widgets import Prefix

VIDEOS = (".mp4", ".m4v", ".mov", ".webm", ".mkv")
QUALITY = 24.0  # of a video, where a node has no crf
Crf = Annotated[float, Range(0.0, 63.0, 1.0), Tooltip("0 is best, 63 is smallest.")]


@node("CreateVideo", category="image/video", display_name="Create Video")
def create(
    *,
    images: Annotated[Image, Tooltip("The pictures, one after another.")],
    fps: Annotated[float, Range(1.0, 120.0, 1.0), Tooltip("Frames per second.")] = 30.0,
    audio: Annotated[Audio, Tooltip("The sound; it ends with the pictures.")] | None = None,
) -> Video:
    """Make a video of frames and, where it is given, their sound."""
    return {"images": images[..., :3], "audio": audio, "frame_rate": fps}


class Components(NamedTuple):
    """What a video is made of."""

    images: Image
    audio: Audio
    fps: float


@node("GetVideoComponents", category="image/video", display_name="Get Video Components")
def components(*, video: Video) -> Components:
    """Take the pictures and the sound out of a video; one that is silent has silence."""
    from nodes.models.audio.mixing import silence

    sound = video["audio"] or silence(len(video["images"]) / video["frame_rate"], 44100, 2)
    return Components(video["images"], sound, video["frame_rate"])


@node("Video Slice", category="image/video", display_name="Trim Video")
def trim(
    *,
    video: Video,
    start_time: Annotated[
        float, Range(-1e5, 1e5, 0.001), Tooltip("In seconds; below 0 from the end.")
    ] = 0.0,
    duration: Annotated[
        float, Range(0.0, 1e5, 0.001), Tooltip("In seconds; 0 takes all the rest.")
    ] = 0.0,
    strict_duration: Annotated[bool, Tooltip("Fail where less is left.")] = False,
) -> Video:
    """Take a part of a video."""
    from nodes.models.video import cut

    return cut(video, start_time, duration, strict=strict_duration)


@node("LoadVideo", category="image/video", display_name="Load Video")
def load(
    run: Run,
    *,
    file: Annotated[
        str,
        Choice(Files("input", suffixes=(*VIDEOS, ".gif", ".webp", ".avif", ".apng"))),
        Upload("video"),
        Tooltip("A video of the input folder."),
    ],
) -> Video:
    """Read a video of the input folder: MP4 or WebM of AV1 and Opus, or an animated picture."""
    from nodes.models.video import read

    return read(run.input_path(file).read_bytes(), file, run.warn)


@node("SaveVideo", category="image/video", display_name="Save Video")
def save(
    run: Run,
    *,
    video: Video,
    filename_prefix: Prefix = "video/ComfyUI",
    format: Annotated[
        str, Choice(("auto", "mp4", "webm")), Tooltip("auto is mp4, which most programs open.")
    ] = "auto",
    codec: Annotated[
        str, Choice(("auto", "h264", "av1")), Tooltip("auto is av1; h264 cannot be written here.")
    ] = "auto",
) -> Artifact:
    """Keep a video, its sound and the workflow in one file."""
    if codec == "h264":
        raise ValueError("codec: h264 cannot be written here; choose auto or av1")
    return _saved(run, video, filename_prefix, "mp4" if format == "auto" else format, QUALITY)


@node("SaveWEBM", category="image/video", experimental=True)
def save_webm(
    run: Run,
    *,
    images: Image,
    filename_prefix: Prefix = "ComfyUI",
    codec: Annotated[
        str, Choice(("vp9", "av1")), Tooltip("av1 is written for both: whoever plays one plays it.")
    ],
    fps: Annotated[float, Range(0.01, 1000.0, 0.01), Tooltip("Frames per second.")] = 24.0,
    crf: Crf = 32.0,
) -> Artifact:
    """Keep a batch of pictures as a silent video, the workflow inside."""
    video: Video = {"images": images[..., :3], "audio": None, "frame_rate": fps}
    return _saved(run, video, filename_prefix, "webm", crf)


def _saved(run: Run, video: Video, prefix: str, container: str, crf: float) -> Artifact:
    from nodes.models.video import written

    texts = {name: json.dumps(text) for name, text in made_by(run).items()}
    height, width = video["images"].shape[1:3]
    data = written(video, container, texts, crf, run.warn)
    file = run.save(prefix, container, data, width=width, height=height)
    return Artifact(images=[file], animated=[True])
