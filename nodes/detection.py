"""Detected boxes in pictures, and maps of what pictures measure (Marigold)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

from engine import Choice, Mark, Socket, Tooltip, node
from nodes.sockets import Image

if TYPE_CHECKING:
    Boxes: TypeAlias = Any
else:
    Boxes = Socket("BOUNDING_BOX")


class Drawn(NamedTuple):
    """Pictures with boxes."""

    out_image: Image


@node("DrawBBoxes", category="image/detection", display_name="Draw BBoxes")
def draw_boxes(
    *,
    image: Image | None = None,
    bboxes: Annotated[Boxes, Mark.SOCKET, Tooltip("Boxes with their labels.")],
) -> Drawn:
    """Boxes with their labels, on pictures or on black."""
    from nodes.models.images.boxes import canvas, drawn, per_frame

    lists = per_frame(bboxes, 1 if image is None else len(image))
    return Drawn(drawn(canvas(lists) if image is None else image, lists))


@node(
    "MarigoldV2PostProcess",
    category="image/geometry estimation",
    display_name="Marigold V2 Post-Process",
)
def marigold(
    *,
    image: Image,
    prediction: Annotated[str, Choice(("depth", "normals", "albedo")), Tooltip("What was drawn.")],
) -> Image:
    """What Marigold V2 drew, as depth (near is bright), normals of length 1, or colours."""
    from nodes.models.images.measures import albedo, depth, normals

    return {"depth": depth, "normals": normals, "albedo": albedo}[prediction](image)
