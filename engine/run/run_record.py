"""What the scheduler collects of a running job for the history."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from engine.authoring.errors import Interrupted
from engine.run.events import (
    Event,
    JobFinished,
    JobStarted,
    NodeExpanded,
    NodeFinished,
    NodeLoaded,
    NodeOutput,
    NodeStarted,
    now_ms,
)
from engine.store.history import Failure, Job, JobResult, Span


class RunRecord:
    """Collects from a job's events what the history keeps.

    Attributes:
        started: when it began, and what was cached.
        spans: when each node ran that did.
        shown: by output node what it shows.
        deadline: seconds that it may run; None: as long as it takes.
        expired: it was interrupted as it ran for longer.
    """

    def __init__(self, job: Job) -> None:
        self.started = JobStarted([], now_ms())
        self.spans: dict[str, Span] = {}
        self.shown: dict[str, dict[str, list[Any]]] = {}
        self.deadline = job.deadline
        self.expired = False
        self._prompt = job.prompt
        self._display: dict[str, str] = {}

    def add(self, event: Event) -> None:
        """Record an event."""
        match event:
            case JobStarted():
                self.started = event
            case NodeStarted(node, lane, at):
                self.spans[node] = Span(lane, at)
            case NodeFinished(node, seconds=seconds) if node in self.spans:
                self.spans[node].seconds = seconds
            case NodeLoaded(node, seconds) if node in self.spans:
                self.spans[node].loading += seconds
            case NodeOutput():
                self.shown[event.node] = event.shown
            case NodeExpanded():
                self._display |= event.display
            case _:
                pass

    def completed(self, ended: JobFinished) -> JobFinished:
        """The end of the job with what the worker does not know: where it was, its deadline."""
        if ended.status != "interrupted":
            return ended
        failure = ended.failure or self._interrupted()
        if not self.expired:
            return msgspec.structs.replace(ended, failure=failure)
        text = f"the job was interrupted: it ran for over {self.deadline:g} s, its deadline_s"
        failure = msgspec.structs.replace(failure, message=text, exception="DeadlineExceeded")
        return msgspec.structs.replace(ended, status="error", failure=failure)

    def _interrupted(self) -> Failure:
        """The failure of a job whose worker does not answer: at a node that runs."""
        running = (id for id, span in self.spans.items() if span.seconds is None)
        node = next((self._display.get(id, id) for id in running), "")
        kind = str(self._prompt[node]["class_type"]) if node in self._prompt else ""
        done = [id for id, span in self.spans.items() if span.seconds is not None]
        return Failure(node, kind, "interrupted", Interrupted.__name__, executed=done)

    def result(self, ended: JobFinished) -> JobResult:
        """The result of the job; nodes that still run end with it."""
        for span in self.spans.values():
            if span.seconds is None:
                span.seconds = max(0.0, (ended.at - span.began) / 1000)
        return JobResult(
            status=ended.status,
            started=self.started.at,
            ended=ended.at,
            cached=self.started.cached,
            shown=self.shown,
            failure=ended.failure,
            display={id: self._display[id] for id in self.shown if id in self._display},
            partial=ended.partial,
            spans=Raw(msgspec.json.encode(self.spans)),
        )
