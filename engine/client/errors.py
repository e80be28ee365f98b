"""What can go wrong between a client and the service.

ClientError
├── Unreachable   nothing answers, or the connection broke for good
├── Refused       the service answered with an error
└── JobGone       a submitted job is neither waiting nor running nor in the history
"""

from __future__ import annotations

from typing import Any

from engine.authoring.errors import SoundstageError


class ClientError(SoundstageError):
    """Base of what a client raises."""


class Unreachable(ClientError):
    """The service does not answer."""


class JobGone(ClientError):
    """The service no longer knows a job that was submitted: somebody deleted it."""


class Refused(ClientError):
    """The service answered with an HTTP error.

    Attributes:
        status: of HTTP.
        body: the decoded JSON of the answer; for a prompt, with "error" and "node_errors".
    """

    def __init__(self, status: int, body: dict[str, Any], text: str) -> None:
        super().__init__(text)
        self.status = status
        self.body = body
