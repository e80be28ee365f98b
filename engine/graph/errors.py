"""Why a prompt cannot run, as data that every client can show."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from engine.authoring.errors import SoundstageError
from engine.authoring.spec import Input


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


def missing_input(input: Input) -> InputError:
    """A required input was not given."""
    return InputError(
        "required_input_missing",
        "Required input is missing",
        input.name,
        {"input_name": input.name},
    )


def refused_input(name: str, details: str) -> InputError:
    """A node, or a choice of it, does not take a value."""
    return InputError(
        "custom_validation_failed",
        "Custom validation failed for node",
        details,
        {"input_name": name},
    )


def failed_validation(details: str, kind: str, text: str) -> InputError:
    """A node could not be validated; `kind` and `text` say why, as of an exception."""
    return InputError(
        "exception_during_validation",
        "Exception when validating node",
        details,
        {"exception_type": kind, "exception_message": text},
    )
