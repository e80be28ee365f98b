"""Jobs as they wait, run and end: the records that the queue and the history share."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias, TypeGuard

import msgspec
from msgspec import Meta, Raw, Struct, field

Status = Literal["pending", "running", "success", "error", "interrupted"]
Moment: TypeAlias = Annotated[int, Meta(ge=0, lt=2**53)]
"""ms since 1970; every reader of JSON takes such a number exactly."""


class Job(Struct, frozen=True, dict=True):
    """One submitted prompt.

    Attributes:
        id: chosen by the client or a new UUID.
        number: place in the queue, smallest first; negative numbers go to the front.
        prompt: the graph in API format, after validation.
        extra: the client's extra_data, kept for metadata ("extra_pnginfo").
        outputs: ids of the output nodes to run.
        client_id: the client whose WebSocket gets its events; None: no client.
        created: ms since 1970.
        attempts: times a worker died while it ran this job.
    """

    id: str
    number: float
    prompt: dict[str, Any]
    extra: dict[str, Any]
    outputs: list[str]
    client_id: str | None
    created: Moment
    attempts: int = 0

    @cached_property
    def encoded(self) -> bytes:
        """The job as JSON, as it is stored and sent to a worker: encoded once, as it is large."""
        return msgspec.json.encode(self)

    def encode(self, prompt: Raw, extra: Raw) -> None:
        """Make `encoded`, of large parts that were encoded before."""
        parts = {**msgspec.structs.asdict(self), "prompt": prompt, "extra": extra}
        vars(self)["encoded"] = msgspec.json.encode(parts)  # a cached property is kept there

    @cached_property
    def digest(self) -> bytes:
        """Equal for jobs that run the same nodes with the same inputs, for the same outputs."""
        content = msgspec.json.encode((self.prompt, self.outputs))
        return hashlib.blake2b(content, digest_size=20).digest()

    def as_stored(self, encoded: bytes, attempts: int) -> Job:
        """The job with the attempts of its row, which holds it as `encoded`."""
        job = msgspec.structs.replace(self, attempts=attempts) if attempts else self
        vars(job)["encoded"] = encoded
        return job

    @property
    def deadline(self) -> float | None:
        """Seconds that it may run ("deadline_s" of its extra); None: as long as it takes."""
        found = self.extra.get("deadline_s")
        return float(found) if is_deadline(found) else None

    @property
    def workflow(self) -> str | None:
        """Id of the editor's document that the prompt was made of, where it has one."""
        match self.extra:
            case {"extra_pnginfo": {"workflow": {"id": str(id)}}}:
                return id
            case _:
                return None


LONGEST_DEADLINE = 10**9


def is_deadline(value: Any) -> TypeGuard[int | float]:
    """Whether a value of JSON is a time that a job may run: over 0 seconds, up to 30 years."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return 0 < value <= LONGEST_DEADLINE


class RawJob(Struct, frozen=True):
    """A job whose prompt stays undecoded JSON, to be sent on as it is stored; see `Job`."""

    id: str
    number: float
    prompt: Raw
    extra: dict[str, Raw]
    outputs: list[str]
    client_id: str | None
    created: Moment


class JobHeader(Struct, frozen=True):
    """The fields of a job that a list shows; see `Job`."""

    id: str
    number: float
    created: Moment


class Failure(Struct, frozen=True):
    """Why a job failed or where it was interrupted; no traceback leaves the log."""

    node: str
    node_type: str
    message: str
    exception: str
    inputs: dict[str, Any] = field(default_factory=dict[str, Any])
    executed: list[str] = field(default_factory=list[str])


class Partial(Struct, frozen=True):
    """What came of a job that went on after failures.

    Attributes:
        errors: how many nodes failed.
        blocked: nodes that did not run for want of those.
        blocked_outputs: output nodes among them, and those that failed themselves.
        successful_outputs: output nodes that ran.
    """

    errors: int
    blocked: list[str]
    blocked_outputs: list[str]
    successful_outputs: list[str]


class Span(Struct, omit_defaults=True):
    """When a node ran.

    Attributes:
        lane: which thread of the worker ran it.
        began: ms since 1970, with fractions.
        seconds: its running time; None while it runs.
        loading: seconds before that in which weights were loaded for it.
    """

    lane: str
    began: float
    seconds: float | None = None
    loading: float = 0.0


class JobResult(Struct, frozen=True):
    """How a job ended; times in ms since 1970.

    Attributes:
        display: of the nodes that show something and came by expansion, the node of the prompt
            that clients shall show for each.
        partial: some nodes of a job that goes on after failures did not run.
        spans: when each node ran that did, as JSON of `Span` by id.
    """

    status: Status
    started: Moment
    ended: Moment
    cached: list[str] = field(default_factory=list[str])
    shown: dict[str, dict[str, list[Any]]] = field(default_factory=dict[str, dict[str, list[Any]]])
    failure: Failure | None = None
    display: dict[str, str] = field(default_factory=dict[str, str])
    partial: Partial | None = None
    spans: Raw = Raw(b"{}")


class HistoryEntry(Struct, frozen=True):
    """An ended job and its result."""

    job: Job | RawJob
    outcome: JobResult


class JobInfo(Struct, frozen=True):
    """A job in whatever state, with its result once it has ended.

    Attributes:
        workflow: id of the editor's document that it was made of.
        outcome: None while it waits or runs.
    """

    job: Job | JobHeader
    status: Status
    workflow: str | None
    outcome: JobResult | None
