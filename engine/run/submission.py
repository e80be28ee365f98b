"""What a client submits, and what it is answered."""

from __future__ import annotations

from typing import Any, cast

from msgspec import Struct, field

from engine.authoring.errors import SoundstageError
from engine.graph.errors import NodeErrors


class QueueFull(SoundstageError):
    """As many jobs wait as may."""


class Submission(Struct, frozen=True):
    """A prompt to run.

    Attributes:
        prompt: the graph in API format.
        extra: kept with the job; "extra_pnginfo" goes into pictures.
        client_id: the client whose WebSocket gets its events.
        id: of the job; a new UUID by default.
        number: position in the queue, smaller first; the next one by default.
        front: before all others that wait.
        targets: run only these output nodes.
    """

    prompt: dict[str, Any]
    extra: dict[str, Any] = field(default_factory=dict[str, Any])
    client_id: str | None = None
    id: str | None = None
    number: float | None = None
    front: bool = False
    targets: list[str] | None = None

    @property
    def workflow(self) -> Any:
        """The editor's file that the prompt was made of, if the client sent it."""
        info = self.extra.get("extra_pnginfo")
        return cast("dict[str, Any]", info).get("workflow") if isinstance(info, dict) else None

    @property
    def resolves_dynamic_prompts(self) -> bool:
        """Whether the dynamic prompts in texts are still to be resolved.

        A client that sends a workflow has resolved them; "dynamic_prompts" of the extra overrides
        that.
        """
        said = self.extra.get("dynamic_prompts")
        return said if isinstance(said, bool) else self.workflow is None


class Receipt(Struct, frozen=True):
    """A job was committed; `errors` are those of output nodes that will not run."""

    id: str
    number: float
    errors: dict[str, NodeErrors]
