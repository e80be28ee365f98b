"""A camera that orbits an object: its angles as numbers and as words of a prompt."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

from engine import Range, Socket, Tooltip, node
from nodes.sockets import Image

if TYPE_CHECKING:
    Camera: TypeAlias = dict[str, Any]
else:
    Camera = Socket("LOAD3D_CAMERA")

MIDDLE = (0.0, 0.5, 0.0)
FARTHEST, NEARER = 6.0, 2.8
FIELD_OF_VIEW = 35
VIEWS = (
    "front view", "front-right quarter view", "right side view", "back-right quarter view",
    "back view", "back-left quarter view", "left side view", "front-left quarter view",
)  # fmt: skip
HEIGHTS = ((-15, "low-angle shot"), (15, "eye-level shot"), (45, "elevated shot"))
DISTANCES = ((2, "wide shot"), (6, "medium shot"))


class Composed(NamedTuple):
    """Position of a camera, and words for it."""

    camera_info: Camera
    prompt: str


@node("CameraAngle", category="3d", display_name="Compose Camera Angle Prompt")
def camera_angle(
    *,
    horizontal_angle: Annotated[
        int,
        Range(0, 360, 1),
        Tooltip("Azimuth in degrees; 0 is the front of the object, 90 its right."),
    ] = 0,
    vertical_angle: Annotated[
        int, Range(-30, 60, 1), Tooltip("Elevation in degrees; above 0 the camera looks down.")
    ] = 0,
    zoom: Annotated[float, Range(0.0, 10.0, 0.1), Tooltip("0 is far away, 10 near.")] = 5.0,
    image: Image | None = None,
    view: Annotated[str, Tooltip("For the editor alone.")] | None = "",
) -> Composed:
    """A camera around an object, and words for a prompt; the picture is for the editor alone."""
    turn, rise = math.radians(horizontal_angle), math.radians(vertical_angle)
    distance = FARTHEST - NEARER * zoom / 10
    way = (
        math.cos(rise) * math.sin(turn),
        math.sin(rise),
        math.cos(rise) * math.cos(turn),
    )
    place = [middle + distance * part for middle, part in zip(MIDDLE, way, strict=True)]
    camera = {
        "position": dict(zip("xyz", place, strict=True)),
        "target": dict(zip("xyz", MIDDLE, strict=True)),
        "fov": FIELD_OF_VIEW,
        "cameraType": "perspective",
        "zoom": 1,
    }
    words = [
        VIEWS[round(horizontal_angle / 45) % len(VIEWS)],
        next((word for below, word in HEIGHTS if vertical_angle < below), "high-angle shot"),
        next((word for below, word in DISTANCES if zoom < below), "close-up"),
    ]
    return Composed(camera, " ".join(words))
