"""Guests' nodes as data: what the worker tells of them, and nodes made of that in the server."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import msgspec
from msgspec import Struct

from engine.authoring.errors import SoundstageError, WorkerLost
from engine.authoring.guests import Guests, GuestsAway
from engine.authoring.markers import CPU, GPU, Choice, Range, Widget
from engine.authoring.registry import Registry
from engine.authoring.spec import MISSING, PLAIN, Input, NodeSpec, Output
from engine.run.questions import NoAnswer
from engine.store.folders import Folders

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 60.0
RENEWING_SECONDS = 3.0
RUN_PARAMETER = " run"
"""No input of a guest can have this name."""


class GuestPacks(Struct, frozen=True):
    """Which guests a worker loads.

    Attributes:
        loader: what loads them, "package.module:function"; imported only where they run.
        folders: each holds packs.
    """

    loader: str
    folders: list[str]


class GuestInput(Struct, frozen=True, omit_defaults=True):
    """One input of a guest's node; see `Input`."""

    name: str
    type: str
    described: list[Any]
    optional: bool = False
    lazy: bool = False
    raw: bool = False
    default: Any = None
    seed: bool = False
    upload: str | None = None
    link_only: bool = False
    options: list[Any] | None = None
    least: int | float | None = None
    most: int | float | None = None


class GuestNode(Struct, frozen=True, omit_defaults=True):
    """One node of a guest, without its functions; see `NodeSpec`.

    Attributes:
        collects: every input gets its whole list.
        described: its entry in object_info.
    """

    id: str
    kind: Literal["function", "async"]
    inputs: list[GuestInput]
    outputs: list[tuple[str, str, bool]]
    category: str
    description: str
    display_name: str
    version: str
    origin: str
    described: dict[str, Any]
    shows: bool = False
    collects: bool = False
    has_check: bool = False
    checks: list[str] = []
    checks_types: bool = False
    per_node: bool = False
    takes_all: bool = False


class Told(Struct, frozen=True):
    """What a worker tells of its guests; JSON, as limits may have more than 64 bits.

    Attributes:
        left_out: see `Registry`.
    """

    nodes: list[GuestNode]
    webs: dict[str, str]
    left_out: Mapping[str, str]


class LoadedGuests(Guests, Protocol):
    """Guests in the process that imported them."""

    @property
    def declared(self) -> Mapping[str, GuestNode]:
        """Their nodes by id, as last read."""
        ...

    @property
    def left_out(self) -> Mapping[str, str]:
        """Their nodes that cannot be nodes, by id, and why."""
        ...

    def check(self, id: str, given: Mapping[str, Any]) -> Any:
        """What a node's own check says of its literals; may have to be awaited."""
        ...


class Asking(Protocol):
    """A worker elsewhere that answers questions."""

    async def ask_nodes(self, ids: list[str] | None) -> bytes:
        """What its guests' nodes are now: `Told` as JSON.

        Raises:
            WorkerLost: it went away meanwhile.
        """
        ...

    async def ask_check(self, id: str, given: Mapping[str, Any]) -> Any:
        """What a node says of its literals.

        Raises:
            WorkerLost: it went away meanwhile.
        """
        ...


def load(packs: GuestPacks, registry: Registry, folders: Folders) -> LoadedGuests:
    """Import guests into this process; what fails is noted in the registry's `failures`."""
    module, _, name = packs.loader.partition(":")
    loader = cast(
        "Callable[[Sequence[Path], Registry, Folders], LoadedGuests]",
        getattr(importlib.import_module(module), name),
    )
    return loader([Path(folder) for folder in packs.folders], registry, folders)


def told(guests: LoadedGuests, ids: Collection[str] | None) -> bytes:
    """Some nodes, or all, as `ask_nodes` answers."""
    nodes = [node for id, node in guests.declared.items() if ids is None or id in ids]
    webs = {pack: str(path) for pack, path in guests.webs.items()}
    return msgspec.json.encode(Told(nodes, webs, guests.left_out))


async def checked(guests: LoadedGuests, id: str, given: Mapping[str, Any]) -> bytes:
    """What a node's own check says of its literals, as `ask_check` answers."""
    verdict = await asyncio.to_thread(guests.check, id, given)
    if inspect.isawaitable(verdict):
        verdict = await verdict
    return msgspec.json.encode(verdict if isinstance(verdict, bool) else str(verdict))


def spec_of(node: GuestNode, function: Callable[..., Any], **functions: Any) -> NodeSpec:
    """The NodeSpec of a guest's node.

    Args:
        node: what it declares.
        function: runs it; gets its inputs, and the `Run` as `RUN_PARAMETER`.
        functions: `check`, `needs`, `fingerprint` of the NodeSpec.
    """
    asks = "needs" in functions  # who cannot ask for lazy inputs gets them
    return NodeSpec(
        id=node.id,
        function=function,
        kind=node.kind,
        inputs=tuple(_input(input, collects=node.collects, asks=asks) for input in node.inputs),
        outputs=tuple(Output(*output) for output in node.outputs),
        category=node.category,
        description=node.description,
        display_name=node.display_name,
        version=node.version,
        origin=node.origin,
        shows=node.shows,
        single=False,
        run_parameter=RUN_PARAMETER,
        on=CPU | GPU,
        checks=frozenset(node.checks),
        checks_types=node.checks_types,
        takes_more=True,
        takes_all=node.takes_all,
        per_node=node.per_node,
        described=node.described,
        **functions,
    )


def _input(input: GuestInput, *, collects: bool, asks: bool) -> Input:
    limits = None
    if input.least is not None or input.most is not None:
        least = -math.inf if input.least is None else input.least
        limits = Range(least, math.inf if input.most is None else input.most)
    return Input(
        name=input.name,
        type=input.type,
        default=MISSING if input.default is None else input.default,
        optional=input.optional,
        collects=collects,
        lazy=input.lazy and asks,
        link_only=input.link_only,
        seed=input.seed,
        range=limits,
        choice=None if input.options is None else Choice(input.options),
        upload=input.upload,
        custom=None if PLAIN.issuperset(input.type.split(",")) else Widget(input.type),
        raw=input.raw,
        described=input.described,
    )


class RemoteGuests:
    """Guests of a worker process, in the server: it knows what their nodes are, and runs none.

    Args:
        registry: the server's; gets the nodes.
        worker: whom to ask.

    Attributes:
        patience: seconds to wait for an answer; loading packs takes its time.
        renewing_patience: the same where it is known what the nodes were before.
    """

    def __init__(self, registry: Registry, worker: Asking) -> None:
        self.webs: dict[str, Path] = {}
        self.patience = PATIENCE_SECONDS
        self.renewing_patience = RENEWING_SECONDS
        self._registry = registry
        self._own = dict(registry.nodes)
        self._worker = worker
        self._last: dict[str, GuestNode] | None = None

    async def renew(self, ids: Collection[str] | None = None) -> None:
        """Ask the worker what the nodes are now; one that is away leaves them as they were."""
        if ids is not None:
            ids = [id for id in ids if id not in self._own]
            if self._last is not None:
                ids = [id for id in ids if id in self._last]
            if not ids:
                return
        wanted = None if self._last is None or ids is None else ids
        ask = partial(self._worker.ask_nodes, wanted)
        try:
            patience = self.patience if self._last is None else self.renewing_patience
            answer = await self._answer(ask, patience)
        except (GuestsAway, NoAnswer) as error:
            if self._last is None:
                raise GuestsAway(str(error)) from error
            log.warning("the worker does not tell of its packs' nodes; they are as they were")
            return
        self._learn(msgspec.json.decode(answer, type=Told), all=wanted is None)

    def _learn(self, found: Told, *, all: bool) -> None:
        fresh = {node.id: node for node in found.nodes}
        known = fresh if all else {**(self._last or {}), **fresh}
        if known != self._last:
            self._last = known
            guests = {id: self._spec(node) for id, node in known.items()}
            self._registry.nodes = {**self._own, **guests}
        self._registry.left_out = found.left_out
        self.webs = {pack: Path(path) for pack, path in found.webs.items()}

    def _spec(self, node: GuestNode) -> NodeSpec:
        check = partial(self._check, node.id) if node.has_check else None
        return spec_of(node, self._not_here, check=check)

    async def _check(self, id: str, /, **given: Any) -> Any:
        return await self._answer(partial(self._worker.ask_check, id, given), self.patience)

    def _not_here(self, /, **_: Any) -> Any:
        raise SoundstageError("nodes of guests run in the worker, not here")

    async def _answer(self, ask: Callable[[], Any], patience: float) -> Any:
        """What the worker says, also one that is started again meanwhile."""
        try:
            async with asyncio.timeout(patience):
                while True:
                    try:
                        return await ask()
                    except WorkerLost:
                        log.warning("the worker went away before it told of the guests' nodes")
        except TimeoutError as error:
            raise GuestsAway(
                f"the worker did not tell what nodes its packs have within {patience:.0f} "
                "seconds: one of them may load slowly or hang; the log has the details, try again"
            ) from error
