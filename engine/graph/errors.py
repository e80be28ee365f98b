"""Why a prompt cannot run, as data that every client can show."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from engine.authoring.errors import SoundstageError


class InputError(Struct, frozen=True):
    """One thing that is wrong with one node; `extra_info` names the input and what it got."""

    type: str
    message: str
    details: str
    extra_info: dict[str, Any] = field(default_factory=dict[str, Any])


class NodeErrors(Struct):
    """All that is wrong with one node, and the output nodes that cannot run for it."""

    errors: list[InputError]
    dependent_outputs: list[str]
    class_type: str


class PromptError(SoundstageError):
    """A prompt that cannot run at all.

    Attributes:
        type: "no_prompt", "invalid_prompt", "prompt_no_outputs", "invalid_prompt_id" or
            "prompt_outputs_failed_validation".
        node_errors: by node id.
    """

    def __init__(
        self,
        type: str,
        message: str,
        details: str = "",
        node_errors: dict[str, NodeErrors] | None = None,
        extra_info: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{message} {details}".strip())
        self.type = type
        self.message = message
        self.details = details
        self.extra_info: dict[str, Any] = extra_info or {}
        self.node_errors: dict[str, NodeErrors] = node_errors or {}
