"""What a job waits for: which nodes are ready, which are done, and what they gave.

Plain bookkeeping, which runs nothing and never recurses: a chain may be of any length.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from msgspec import Struct, field

from engine.graph.plan import Walk
from engine.graph.prompt import GraphNode, Link
from engine.run.expand import Grown
from engine.run.turns import holes
from engine.store.cache import NodeResult


class State(enum.Enum):
    """How far a node is."""

    UNWANTED = enum.auto()
    WANTED = enum.auto()
    DONE = enum.auto()
    FAILED = enum.auto()


class Place(Struct, eq=False):
    """One node of a job on its way.

    Attributes:
        key: the address of its result.
        parent: the place whose expansion it is part of.
        display: the node that clients shall show for it.
        target: the job is not over before it is done.
        users: how many others may still take from it.
        awaits: the places that it waits for now.
        waiters: told when it is done or has failed.
        result: what it gave, while somebody may take it.
        followed: names of the lazy inputs that its `needs` asked for.
        has_all: its `needs` wants no more.
        unfilled: what it returned, while its expansion is computed.
        children: the places of its expansion.
        shows_inside: something is shown in its expansion, or in one in it.
        seconds: of its own running time.
        announced: it was told that it runs.
        idle: so many of its runs wait for a lazy input.
    """

    node: GraphNode
    key: str
    parent: Place | None = None
    display: str = ""
    state: State = State.UNWANTED
    target: bool = False
    users: int = 0
    awaits: list[Place] = field(default_factory=list["Place"])
    missing: int = 0
    waiters: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    result: NodeResult | None = None
    followed: set[str] = field(default_factory=set[str])
    has_all: bool = False
    unfilled: NodeResult | None = None
    children: list[Place] = field(default_factory=list["Place"])
    shows_inside: bool = False
    seconds: float = 0.0
    announced: bool = False
    idle: int = 0

    def __str__(self) -> str:
        return f"{self.node.id} ({self.node.spec.id})"

    @property
    def root(self) -> Place:
        """The place of the prompt that it came from by expansion; itself if it is one."""
        *_, outermost = self.around()
        return outermost

    def inside(self) -> Iterator[Place]:
        """The places of its expansion, and of those in it."""
        waiting = [*self.children]
        while waiting:
            place = waiting.pop()
            waiting += place.children
            yield place

    def around(self) -> Iterator[Place]:
        """Itself, and what it lies in: the place whose expansion it is part of, and so on."""
        place: Place | None = self
        while place is not None:
            yield place
            place = place.parent

    def mark_showing(self) -> None:
        """Something is shown inside of it, and so of what it lies in."""
        for place in self.around():
            if place.shows_inside:
                return
            place.shows_inside = True

    @property
    def at_hand(self) -> bool:
        """Whether its result can be taken."""
        return self.result is not None

    def followed_links(self) -> dict[str, Link]:
        """The links whose values it gets: strong ones, and lazy ones that it asked for."""
        links = self.node.strong_links()
        for name in self.followed:
            links[name] = self.node.links[name]
        return links


class Board:
    """The places of one job.

    Args:
        find: a result that is there already, asked when a place is first wanted.

    Attributes:
        ready: places whose awaited others are all done; the caller takes them.
        open: targets that are neither done nor failed.
    """

    def __init__(self, find: Callable[[Place], NodeResult | None]) -> None:
        self._find = find
        self.places: dict[str, Place] = {}
        self.ready: deque[Place] = deque()
        self._failing: deque[Place] = deque()
        self.open = 0

    def add(
        self, nodes: Iterable[GraphNode], keys: Mapping[str, str], parent: Place | None = None
    ) -> list[Place]:
        """Places for further nodes, each after those it takes from."""
        added: list[Place] = []
        for node in nodes:
            place = Place(
                node, keys[node.id], parent, display=parent.display if parent else node.id
            )
            self.places[node.id] = place
            for source in self._sources(place):
                source.users += 1
            added.append(place)
        return added

    def aim(self, place: Place) -> None:
        """The job is not over before this one is done."""
        if place.target:
            return
        place.target = True
        if place.state in (State.UNWANTED, State.WANTED):
            self.open += 1
            self.want(place)

    def aim_at(self, *ids: str) -> None:
        """The job is not over before these nodes are done."""
        for id in ids:
            self.aim(self.places[id])

    def expand(
        self, place: Place, growth: Grown, made: NodeResult, keys: Mapping[str, str]
    ) -> dict[str, str]:
        """Let a place wait for what it expanded into; returns what to show for each new node.

        Args:
            place: of the node.
            growth: the new nodes.
            made: what the node returned, with holes.
            keys: of all nodes.
        """
        place.unfilled = made
        place.children = self.add(growth.nodes, keys, place)
        for child in place.children:
            wished = growth.display.get(child.node.id, child.display)
            child.display = self.places[wished].display if wished in self.places else wished
            if child.node.spec.shows:
                self.aim(child)
                place.mark_showing()
        awaited = [self.places[link.node] for link in dict.fromkeys(holes(made.outputs))]
        for source in dict.fromkeys(awaited):
            source.users += 1
        self.hold(place, awaited)
        return {child.node.id: child.display for child in place.children}

    def want(self, place: Place) -> None:
        """Have it computed, and all it takes from, unless its result is there."""
        fresh = [place]
        while fresh:
            place = fresh.pop()
            if place.at_hand or place.state in (State.WANTED, State.FAILED):
                continue
            if place.state is State.DONE:
                self._take_up(place)
            place.state = State.WANTED
            known = self._find(place)
            if known is not None:
                self.settle(place, known)
            else:
                sources = [self.places[link.node] for link in place.followed_links().values()]
                fresh += reversed(self._hold(place, sources))

    def _take_up(self, place: Place) -> None:
        """Its result was let go of, and now an expansion asks for it once more."""
        place.target = False
        for source in self._sources(place):
            source.users += 1

    def hold(self, place: Place, sources: Iterable[Place]) -> None:
        """Let a place wait until others are done; it is ready again then."""
        for source in self._hold(place, sources):
            self.want(source)

    def _hold(self, place: Place, sources: Iterable[Place]) -> list[Place]:
        awaited = [source for source in dict.fromkeys(sources) if not source.at_hand]
        if any(source.state is State.FAILED for source in awaited):
            self.fail(place)
            return []
        place.awaits, place.missing = awaited, len(awaited)
        for source in awaited:
            source.waiters.append(partial(self._arrived, place, source))
        if not awaited:
            self.ready.append(place)
        return awaited

    def _arrived(self, place: Place, source: Place) -> None:
        if place.state is not State.WANTED:
            return
        if source.state is State.FAILED:
            self.fail(place)
            return
        place.missing -= 1
        if place.missing == 0:
            place.awaits = []
            self.ready.append(place)

    def settle(self, place: Place, result: NodeResult) -> None:
        """It is done."""
        place.state, place.result, place.unfilled = State.DONE, result, None
        self._leave(place)

    def fail(self, place: Place) -> None:
        """It cannot be done, nor can what waits for it."""
        self._failing.append(place)
        if len(self._failing) > 1:
            return  # it was called by a waiter; the loop below goes on with it
        while self._failing:
            failing = self._failing[0]
            if failing.state is not State.FAILED:
                failing.state, failing.unfilled = State.FAILED, None
                self._leave(failing)
            self._failing.popleft()

    def _leave(self, place: Place) -> None:
        """Tell those who wait, and let go of what it took."""
        waiters, place.waiters = place.waiters, []
        for waiter in waiters:
            waiter()
        if place.target:
            self.open -= 1
        for source in self._sources(place):
            self.release(source)
        if place.users == 0:
            place.result = None

    def release(self, place: Place) -> None:
        """One of its users is done; what nobody may take any more is dropped."""
        place.users -= 1
        if place.users == 0:
            place.result = None

    def cycle(self) -> list[Place]:
        """Places that wait for each other, first and last the same; empty if there are none."""
        wanted = [place.node.id for place in self.places.values() if place.state is State.WANTED]
        walk = Walk(wanted, lambda id: [source.node.id for source in self.places[id].awaits])
        return [self.places[id] for id in walk.cycles[0]] if walk.cycles else []

    def _sources(self, place: Place) -> list[Place]:
        sources = [link.node for link in place.node.links.values()]
        return [self.places[id] for id in dict.fromkeys(sources)]
