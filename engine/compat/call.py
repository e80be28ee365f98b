"""The call of a pack's function that runs now: what stand-in modules act on."""

from __future__ import annotations

import io
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from engine.authoring.errors import Interrupted
from engine.authoring.protocols import Resident, Step
from engine.compat.plain import plain
from engine.run.context import NodeContext
from engine.run.events import CustomMessage, NodePreview, NodeProgress

PROGRESS_SECONDS = 0.02
PREVIEW_SECONDS = 0.2

Preview: TypeAlias = tuple[str, Any, int | None]
"""A picture as packs give it: "JPEG" or "PNG", a PIL image, its longest side if it shall shrink."""


@dataclass
class CurrentCall:
    """One call of one node of one job.

    Attributes:
        run: the job, the node, and the way to its client.
        held: the models that are loaded and bound for it.
        graphs: how many graphs the call has begun to build.
    """

    run: NodeContext
    held: Sequence[Resident[Any]] = ()
    graphs: int = 0
    _last_sent: dict[str, float] = field(default_factory=dict[str, float])

    def prefix(self) -> str:
        """What the ids of the next graph's nodes begin with."""
        self.graphs += 1
        return f"{self.run.node}.{self.run.turn}.{self.graphs - 1}."

    def progress(self, value: float, total: float, preview: Preview | None = None) -> None:
        """Send the progress of the node; reports that follow within 20 ms are dropped.

        Args:
            value: of `total` steps.
            total: steps in all.
            preview: a picture; one to be sent as PNG is no preview but a result, always sent.

        Raises:
            Interrupted: nobody wants the result any more.
        """
        self.check_cancelled()
        if value >= total or self._due("progress", PROGRESS_SECONDS):
            self.run.emit(NodeProgress(self.run.node, int(value), int(total)))
        if preview is None:
            return
        if preview[0] == "PNG" or self._due("preview", PREVIEW_SECONDS):
            self.run.emit(NodePreview(self.run.node, encoded(preview)))

    def step(self, step: Step) -> None:
        """Report a step of one of our own nodes, which the pack called.

        Raises:
            Interrupted: nobody wants the result any more.
        """
        self.progress(step.index, step.total)
        wanted = self.run.job_record.extra.get("preview_method", "none") != "none"
        if wanted and step.preview is not None and self._due("preview", PREVIEW_SECONDS):
            self.run.emit(NodePreview(self.run.node, bytes(step.preview())))

    def check_cancelled(self) -> None:
        """Raise if the job was interrupted.

        Raises:
            Interrupted: it was.
        """
        if self.interrupted:
            raise Interrupted("the job was interrupted")

    @property
    def interrupted(self) -> bool:
        """Whether nobody wants the result any more."""
        return self.run.cancelled.is_set()

    def send_message(self, type: str, data: Any) -> None:
        """Send a message to the job's client."""
        shown = plain(data)
        if not isinstance(shown, dict):
            shown = {"data": shown}
        self.run.emit(CustomMessage(self.run.node, type, cast("dict[str, Any]", shown)))

    def _due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if now - self._last_sent.get(what, -seconds) < seconds:
            return False
        self._last_sent[what] = now
        return True


def encoded(preview: Preview) -> bytes:
    """A preview as the bytes of a picture file."""
    format, picture, longest = preview
    if longest is not None and max(picture.size) > longest:
        picture = picture.copy()
        picture.thumbnail((longest, longest))
    written = io.BytesIO()
    if format == "PNG":
        picture.save(written, "PNG", compress_level=1)
    else:
        picture.convert("RGB").save(written, "JPEG", quality=95)
    return written.getvalue()


CURRENT: ContextVar[CurrentCall | None] = ContextVar("CURRENT", default=None)


@contextmanager
def during(call: CurrentCall) -> Generator[None]:
    """Make `call` the current one of this thread or task."""
    token = CURRENT.set(call)
    try:
        yield
    finally:
        CURRENT.reset(token)
