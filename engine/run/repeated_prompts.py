"""Prompts whose results the worker all had in its cache: the server answers them the next time."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, cast, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from engine.authoring.markers import Files
from engine.authoring.protocols import File, FolderKind
from engine.authoring.registry import Registry
from engine.graph.keys import CacheKeys, FileIdentities, has_fingerprint
from engine.graph.off_loop import LONG_NODES
from engine.graph.prompt import Graph
from engine.run.events import (
    Event,
    JobFinished,
    JobStarted,
    NodeExpanded,
    NodeFinished,
    NodeOutput,
    now_ms,
)
from engine.run.worker import EventHandler
from engine.store.folders import Folders
from engine.store.history import Job

MAX_PROMPTS = 1000
MAX_ANSWER_BYTES = 16 * 1024


class Answer(Struct, frozen=True):
    """What the worker said of a job of which it ran nothing.

    Attributes:
        events: of the job, all of them.
        identities: of the files that its nodes name, as they were before that.
        shown: the files that it showed.
    """

    events: Sequence[Event]
    identities: Sequence[tuple[Files, str, str]]
    shown: Sequence[File]


class RepeatedPrompts:
    """Knows the events of jobs of which the worker would run nothing; runs the others on it.

    A prompt that comes again is watched: if the worker begins no node of it, as all results that it
    needs are cached, its events are kept. An equal prompt gets them from here, without the worker,
    while the files that it names are the same and those that it shows exist. Left to the worker are
    prompts with a node that never gives an old result, that has a fingerprint to be asked for, or
    that is custom; and those that are long, list files in texts, or show much.

    Args:
        registry: the nodes there are.
        folders: the home.
        run: runs a job on the worker, as `Worker.run`.
        capacity: most prompts to remember; 0: the worker runs all.
    """

    def __init__(
        self,
        registry: Registry,
        folders: Folders,
        run: Callable[[Job, EventHandler], None],
        capacity: int = MAX_PROMPTS,
    ) -> None:
        self._capacity = capacity
        self._registry = registry
        self._folders = folders
        self._run = run
        self._prompts: OrderedDict[bytes, Answer | None] = OrderedDict()  # None: it came once

    def clear(self) -> None:
        """Forget all answers: the worker's results are gone, or nodes may be others."""
        self._prompts = OrderedDict.fromkeys(self._prompts)

    def events(self, job: Job) -> list[Event] | None:
        """All events of a job, as they happen now; None: only the worker knows them."""
        if not self._remembers(job):
            return None
        digest = job.digest
        answer = self._prompts.get(digest)
        if answer is None or not self._is_valid(answer):
            return None
        self._prompts.move_to_end(digest)
        at = now_ms()
        return [
            replace(event, at=at) if isinstance(event, JobStarted | JobFinished) else event
            for event in answer.events
        ]

    def run(self, job: Job, on_event: EventHandler) -> None:
        """Start a job, as `Worker.run`: on the worker, unless its events are known."""
        if (events := self.events(job)) is not None:
            asyncio.get_running_loop().call_soon(_send, events, on_event)
            return
        if self._remembers(job):
            if job.digest not in self._prompts:
                self._keep(job.digest, None)
            elif (identities := self._identities(job)) is not None:
                on_event = _Watch(on_event, partial(self._learn, job.digest, identities))
        self._run(job, on_event)

    def _remembers(self, job: Job) -> bool:
        return self._capacity > 0 and len(job.prompt) <= LONG_NODES

    def _keep(self, digest: bytes, answer: Answer | None) -> None:
        self._prompts[digest] = answer
        self._prompts.move_to_end(digest)
        while len(self._prompts) > self._capacity:
            self._prompts.popitem(last=False)

    def _is_valid(self, answer: Answer) -> bool:
        folders = self._folders
        same = all(folders.identity(files, name) == said for files, name, said in answer.identities)
        return same and all(map(folders.has, answer.shown))

    def _identities(self, job: Job) -> list[tuple[Files, str, str]] | None:
        """Of the files that a job's nodes name; None if its answer is not to be repeated."""
        graph = Graph.of(job.prompt, self._registry)
        nodes = graph.ordered(job.outputs)
        if any(node.spec.is_custom or has_fingerprint(node) for node in nodes):
            return None
        asked = _Identities(self._folders)
        keys = CacheKeys(job.id, asked)
        keys.add(nodes, {})
        return None if asked.lists_files or keys.has_job else asked.found

    def _learn(
        self, digest: bytes, identities: list[tuple[Files, str, str]], events: list[Event]
    ) -> None:
        if len(msgspec.msgpack.encode(events)) <= MAX_ANSWER_BYTES:
            shown = [event.shown for event in events if isinstance(event, NodeOutput)]
            self._keep(digest, Answer(events, identities, [*shown_files(shown)]))


class _Identities:
    """The identities of files, with a record of what was asked for."""

    def __init__(self, folders: FileIdentities) -> None:
        self._folders = folders
        self.found: list[tuple[Files, str, str]] = []
        self.lists_files = False

    def identity(self, files: Files, name: str) -> str:
        """As `Folders.identity`."""
        said = self._folders.identity(files, name)
        self.found.append((files, name, said))
        return said

    def identities(self, files: Files) -> str:
        """Takes long where there are many files."""
        self.lists_files = True
        return ""


class _Watch:
    """Passes the events of a job on, and reports them if the worker begins no node of it."""

    def __init__(self, on_event: EventHandler, on_cached: Callable[[list[Event]], None]) -> None:
        self._on_event = on_event
        self._on_cached = on_cached
        self._events: list[Event] = []
        self._is_cached = True

    def __call__(self, event: Event) -> None:
        match event:
            case (
                JobStarted()
                | NodeOutput()
                | NodeExpanded()
                | NodeFinished(cached=True)
                | JobFinished("success", partial=None)
            ):
                self._events.append(event)
            case _:
                self._is_cached = False
        if self._is_cached and isinstance(event, JobFinished):
            self._on_cached(self._events)
        self._on_event(event)


def _send(events: Sequence[Event], on_event: EventHandler) -> None:
    for event in events:
        on_event(event)


def shown_files(shown: Any) -> Iterator[File]:
    """The files in what output nodes showed, as plain data."""
    match shown:
        case {"filename": str(name), "type": str(kind)} if kind in get_args(FolderKind):
            subfolder = cast("dict[str, Any]", shown).get("subfolder", "")
            yield File(name, str(subfolder), cast("FolderKind", kind))
        case dict():
            for item in cast("dict[str, Any]", shown).values():
                yield from shown_files(item)
        case list():
            for item in cast("list[Any]", shown):
                yield from shown_files(item)
        case _:
            pass
