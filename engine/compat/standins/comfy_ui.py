"""`comfy_api.latest.ui`: what nodes of the newer kind show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from engine.compat.standins.comfy_io import ComfyNode

Shown = dict[str, Any]


class SavedResult(dict[str, Any]):
    """A file that a node saved."""

    def __init__(self, filename: str, subfolder: str, type: Any) -> None:
        super().__init__(filename=filename, subfolder=subfolder, type=str(type))


class Preview:
    """Something to show.

    Args:
        shown: lists by name.
    """

    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    def as_dict(self) -> Shown:
        """As a V1 function returns it under "ui"."""
        return self._shown


class SavedImages(Preview):
    """Pictures that were saved, moving ones or not."""

    def __init__(self, results: Sequence[Any], is_animated: bool = False) -> None:
        animated = {"animated": (True,)} if is_animated else {}
        super().__init__({"images": [*results], **animated})


class SavedAudios(Preview):
    """Sounds that were saved."""

    def __init__(self, results: Sequence[Any]) -> None:
        super().__init__({"audio": [*results]})


class PreviewText(Preview):
    """A text."""

    def __init__(self, value: str, **_: Any) -> None:
        super().__init__({"text": (value,)})


def comfy_ui(name: str, classes: Mapping[str, Any]) -> ModuleType:
    """The module.

    Args:
        name: its own.
        classes: our own nodes, as in the module `nodes`; they save what is shown.
    """

    def by_node(id: str, value: Any, *more: Any) -> Shown:
        made = classes[id]()
        return getattr(made, made.FUNCTION)(value, *more)["ui"]

    class PreviewImage(Preview):
        """Pictures [B, H, W, C], saved in the temp folder."""

        def __init__(self, image: Any, animated: bool = False, **_: Any) -> None:
            super().__init__(by_node("PreviewImage", image))

    class PreviewMask(Preview):
        """Masks [B, H, W], as grey pictures."""

        def __init__(self, mask: Any, animated: bool = False, **_: Any) -> None:
            grey = mask.reshape(-1, *mask.shape[-2:], 1).expand(-1, -1, -1, 3)
            super().__init__(by_node("PreviewImage", grey))

    class PreviewAudio(Preview):
        """A sound, saved in the temp folder."""

        def __init__(self, audio: Any, **_: Any) -> None:
            super().__init__(by_node("PreviewAudio", audio))

    class ImageSaveHelper:
        """Saves pictures into the output folder."""

        @staticmethod
        def get_save_images_ui(
            images: Any, filename_prefix: str, cls: type[ComfyNode] | None = None, **_: Any
        ) -> SavedImages:
            """Save them, and show them."""
            return SavedImages(by_node("SaveImage", images, filename_prefix)["images"])

    module = ModuleType(name)
    public = (
        *(PreviewAudio, PreviewImage, PreviewMask, PreviewText),
        *(ImageSaveHelper, SavedAudios, SavedImages, SavedResult),
    )
    vars(module).update({member.__name__: member for member in public})
    return module
