"""What a job finds of earlier results, and what it keeps of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, cast

from engine.authoring.protocols import File
from engine.graph.prompt import GraphNode
from engine.run.board import Place
from engine.run.call import Bench
from engine.run.events import Expanded, NodeFinished, NodeShown
from engine.run.failures import sendable
from engine.run.loop import Loop
from engine.store.cache import MIN_SAVE_SECONDS, NodeResult

SLOW_SECONDS = 0.2
DEEPEST_SHOWING = 8
OWN = ""
"""Among what was shown inside of a node: what it showed itself."""


class Kept:
    """The results of one job, in the worker's cache.

    A cached node does not expand again. What output nodes in its expansion showed is kept beside
    its result, and told when the prompt is repeated.

    Args:
        bench: what the worker shares among its jobs.
        loop: where events are told.
    """

    def __init__(self, bench: Bench, loop: Loop) -> None:
        self._cache = bench.cache
        self._folders = bench.folders
        self._outputs = bench.outputs
        self._making = bench.making
        self._claimed: dict[str, Place] = {}
        self._loop = loop
        self._unsaved: deque[tuple[str, NodeResult]] = deque()
        self._showing_inside: list[tuple[Place, NodeResult]] = []
        self._retold: set[str] = set()

    def begin(self, job: str, keys: Iterable[str]) -> None:
        """The job needs the results of these keys."""
        self._cache.begin_job(job, with_inside(keys))

    def grow(self, job: str, parent: str, keys: Iterable[str]) -> None:
        """A node expanded into nodes of these keys."""
        self._cache.add_expansion(job, parent, with_inside(keys))

    def end(self, job: str) -> None:
        """The job makes nothing any more."""
        self._cache.end_job(job)
        self._making.end([*self._claimed])
        self._claimed.clear()

    def claim(self, place: Place, wake: Callable[[], object]) -> bool:
        """Be the one who makes a result, unless an equal node does, in whichever job.

        `wake` is called when that one is done with it, or gives it up.
        """
        if not self._cache.is_enabled or self._claimed.get(place.key) is place:
            return True
        if not self._making.begin(place.key, wake):
            return False
        self._claimed[place.key] = place
        return True

    def leave(self, place: Place) -> None:
        """A result is made, or will not be."""
        if self._claimed.get(place.key) is place:
            del self._claimed[place.key]
            self._making.end([place.key])

    def has(self, key: str, *, shows: bool) -> bool:
        """Whether a result is at hand; one that shows files only while they are there."""
        if not shows:
            return self._cache.has(key)
        known = self._cache.get(key)
        if known is None:
            return False
        if all(self._folders.has(file) for file in files(known.shown)):
            return True
        self._cache.discard(key)
        return False

    def find(self, place: Place) -> NodeResult | None:
        """The result of a place, told like one that was made now."""
        if self.has(place.key, shows=place.node.spec.shows):
            known = self._cache.get(place.key)
            if known is not None and known.shown is not None:
                self._tell(place.node.id, known.shown)
            return known
        if not self.has(inside(place.key), shows=True):
            return None
        self.retell([place.node.id], {place.node.id: place})
        known = self._cache.get(inside(place.key))
        return NodeResult(known.outputs, (known.shown or {}).get(OWN, [None])[0]) if known else None

    def _tell(self, id: str, shown: Mapping[str, list[Any]]) -> None:
        if shown:
            self._loop.note(NodeShown(id, sendable(shown)))
        self._loop.note(NodeFinished(id, cached=True, seconds=0.0))

    def shown_inside(
        self, nodes: Iterable[GraphNode], keys: Mapping[str, str]
    ) -> tuple[list[str], list[str]]:
        """Ids of cached nodes inside of which something was shown: to be retold, and to run again.

        Those must run again that showed a file which is gone; they are forgotten.
        """
        whole: list[str] = []
        gone: list[str] = []
        for node in nodes:
            key = inside(keys[node.id])
            if self._cache.has(key):
                (whole if self.has(key, shows=True) else gone).append(node.id)
        return whole, gone

    def retell(self, ids: Iterable[str], places: Mapping[str, Place]) -> None:
        """Tell what was shown inside of cached nodes, once of each."""
        for id in ids:
            known = self._cache.get(inside(places[id].key))
            if known is None or known.shown is None or id in self._retold:
                continue
            self._retold.add(id)
            if (around := places[id].parent) is not None:
                around.mark_showing()
            display = {id + suffix: places[id].display for suffix in known.shown if suffix}
            self._loop.note(Expanded(id, display))
            for suffix, (shown,) in known.shown.items():
                self._tell(id + suffix, shown)

    def keep(self, place: Place, made: NodeResult) -> bool:
        """Keep a result; False if it takes a while to write it down first, by `save`."""
        self._cache.put(place.key, made)
        if not self._cache.should_save(made, place.seconds):
            return True
        if place.seconds > SLOW_SECONDS:
            return False
        if place.seconds > MIN_SAVE_SECONDS:
            self._cache.save(place.key, made)
        else:
            self._unsaved.append((place.key, made))
        return True

    async def save(self, place: Place, made: NodeResult) -> None:
        """Write a result down, in a thread."""
        await asyncio.to_thread(self._cache.save, place.key, made)

    def keep_expanded(self, place: Place, made: NodeResult) -> None:
        """Keep the result of a node whose expansion is done.

        The turns of a loop lie in each other; of those that show something only the outer ones are
        kept, as each keeps what is shown in all that lie in it.
        """
        if not place.shows_inside:
            self._put(place.key, made, place.seconds)
        elif sum(1 for _ in islice(place.around(), DEEPEST_SHOWING + 1)) <= DEEPEST_SHOWING:
            self._showing_inside.append((place, made))

    def finish(self) -> None:
        """Everything ran: keep the nodes inside of which something is shown."""
        for place, made in self._showing_inside:
            shown = dict(self._shown_in(place))
            if made.shown is not None:
                shown[OWN] = [made.shown]
            if all(shown.values()):
                self._put(inside(place.key), NodeResult(made.outputs, shown), place.seconds)

    def _shown_in(self, place: Place) -> Iterator[tuple[str, list[Any]]]:
        """What was shown inside of a node, by what follows its id; empty if that is not known."""
        for child in place.inside():
            suffix = child.node.id.removeprefix(place.node.id)
            known = self._cache.get(child.key) if child.node.spec.shows else None
            if known is not None:
                yield suffix, [known.shown or {}]
                continue
            around = self._cache.get(inside(child.key))
            told = (around.shown if around is not None else None) or {}
            if child.node.spec.shows and OWN not in told:
                yield suffix, []
            for more, shown in told.items():
                if more == OWN or not child.children:
                    yield suffix + more, shown

    def _put(self, key: str, made: NodeResult, seconds: float) -> None:
        self._cache.put(key, made)
        if self._cache.should_save(made, seconds):
            self._unsaved.append((key, made))

    def write(self) -> None:
        """Write down what is to outlive a crash and took no time to make."""
        while (unsaved := self._next_unsaved()) is not None:
            self._cache.save(*unsaved)
            self._outputs.flush_counters()
        self._outputs.prepare()

    def _next_unsaved(self) -> tuple[str, NodeResult] | None:
        """The next to write down; two threads that look at once get different ones."""
        try:
            return self._unsaved.popleft()
        except IndexError:
            return None


def inside(key: str) -> str:
    """Where the result of a node of that key is kept with what was shown inside of it."""
    return f"{key}+"


def with_inside(keys: Iterable[str]) -> list[str]:
    """Keys, and where it is kept what was shown inside."""
    return [each for key in keys for each in (key, inside(key))]


def files(shown: Any) -> Iterator[File]:
    """The files in what was shown."""
    if isinstance(shown, File):
        yield shown
    elif isinstance(shown, dict):
        for item in cast("dict[str, Any]", shown).values():
            yield from files(item)
    elif isinstance(shown, list):
        for item in cast("list[Any]", shown):
            yield from files(item)
