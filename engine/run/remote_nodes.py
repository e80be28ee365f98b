"""Custom nodes as data: described by the worker, made into NodeSpecs in the server."""

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

from engine.authoring.custom_nodes import CustomNodes, CustomNodesUnavailable
from engine.authoring.errors import SoundstageError, WorkerLost
from engine.authoring.markers import CPU, GPU, Choice, Range, Widget
from engine.authoring.registry import Registry
from engine.authoring.spec import MISSING, PLAIN, Input, NodeSpec, Output
from engine.run.rpc import RpcError
from engine.store.folders import Folders

log = logging.getLogger(__name__)

LOAD_TIMEOUT_SECONDS = 60.0
REFRESH_TIMEOUT_SECONDS = 3.0
RUN_PARAMETER = " run"
"""No input of a custom node can have this name."""


class CustomNodePacks(Struct, frozen=True):
    """Which custom node packs a worker loads.

    Attributes:
        loader: what loads them, "package.module:function"; imported only where they run.
        folders: each holds packs.
    """

    loader: str
    folders: list[str]


class InputDescription(Struct, frozen=True, omit_defaults=True):
    """One input of a custom node; see `Input`."""

    name: str
    type: str
    object_info: list[Any]
    optional: bool = False
    lazy: bool = False
    raw: bool = False
    default: Any = None
    seed: bool = False
    upload: str | None = None
    link_only: bool = False
    options: list[Any] | None = None
    min: int | float | None = None
    max: int | float | None = None


class NodeDescription(Struct, frozen=True, omit_defaults=True):
    """One custom node, without its functions; see `NodeSpec`.

    Attributes:
        collects: every input gets its whole list.
        object_info: its entry in object_info.
    """

    id: str
    kind: Literal["function", "async"]
    inputs: list[InputDescription]
    outputs: list[tuple[str, str, bool]]
    category: str
    description: str
    display_name: str
    version: str
    origin: str
    object_info: dict[str, Any]
    shows: bool = False
    collects: bool = False
    has_check: bool = False
    checks: list[str] = []
    checks_types: bool = False
    per_node: bool = False
    takes_all: bool = False


class NodeDescriptions(Struct, frozen=True):
    """A worker's description of its custom nodes; JSON, as limits may have more than 64 bits.

    Attributes:
        left_out: see `Registry`.
    """

    nodes: list[NodeDescription]
    webs: dict[str, str]
    left_out: Mapping[str, str]


class LoadedCustomNodes(CustomNodes, Protocol):
    """Custom nodes in the process that imported them."""

    @property
    def declared(self) -> Mapping[str, NodeDescription]:
        """Their nodes by id, as last read."""
        ...

    @property
    def left_out(self) -> Mapping[str, str]:
        """Their nodes that cannot be nodes, by id, and why."""
        ...

    def check(self, id: str, given: Mapping[str, Any]) -> Any:
        """The verdict of a node's own check on its literals; may be an awaitable."""
        ...


class NodeQuery(Protocol):
    """Requests to a worker in another process."""

    async def describe_nodes(self, ids: list[str] | None) -> bytes:
        """Its custom nodes now: `NodeDescriptions` as JSON.

        Raises:
            WorkerLost: it went away meanwhile.
        """
        ...

    async def validate_literals(self, id: str, given: Mapping[str, Any]) -> Any:
        """Let a node validate its literals.

        Raises:
            WorkerLost: it went away meanwhile.
        """
        ...


def load(packs: CustomNodePacks, registry: Registry, folders: Folders) -> LoadedCustomNodes:
    """Import custom nodes into this process; failures go into the registry's `failures`."""
    module, _, name = packs.loader.partition(":")
    loader = cast(
        "Callable[[Sequence[Path], Registry, Folders], LoadedCustomNodes]",
        getattr(importlib.import_module(module), name),
    )
    return loader([Path(folder) for folder in packs.folders], registry, folders)


def encode_descriptions(custom_nodes: LoadedCustomNodes, ids: Collection[str] | None) -> bytes:
    """Some nodes, or all, in the form of `NodeQuery.describe_nodes`."""
    nodes = [node for id, node in custom_nodes.declared.items() if ids is None or id in ids]
    webs = {pack: str(path) for pack, path in custom_nodes.webs.items()}
    return msgspec.json.encode(NodeDescriptions(nodes, webs, custom_nodes.left_out))


async def encode_verdict(
    custom_nodes: LoadedCustomNodes, id: str, given: Mapping[str, Any]
) -> bytes:
    """The verdict of a node's own check, in the form of `NodeQuery.validate_literals`."""
    verdict = await asyncio.to_thread(custom_nodes.check, id, given)
    if inspect.isawaitable(verdict):
        verdict = await verdict
    return msgspec.json.encode(verdict if isinstance(verdict, bool) else str(verdict))


def spec_of(node: NodeDescription, function: Callable[..., Any], **functions: Any) -> NodeSpec:
    """The NodeSpec of a custom node.

    Args:
        node: what it declares.
        function: runs it; gets its inputs, and the `Run` as `RUN_PARAMETER`.
        functions: `validate_inputs`, `check_lazy_status`, `fingerprint` of the NodeSpec.
    """
    asks = "check_lazy_status" in functions  # who cannot ask for lazy inputs gets them
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
        is_output=node.shows,
        single=False,
        run_parameter=RUN_PARAMETER,
        on=CPU | GPU,
        validated_inputs=frozenset(node.checks),
        validates_types=node.checks_types,
        takes_more=True,
        takes_all=node.takes_all,
        not_idempotent=node.per_node,
        object_info=node.object_info,
        **functions,
    )


def _input(input: InputDescription, *, collects: bool, asks: bool) -> Input:
    limits = None
    if input.min is not None or input.max is not None:
        least = -math.inf if input.min is None else input.min
        limits = Range(least, math.inf if input.max is None else input.max)
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
        object_info=input.object_info,
    )


class RemoteCustomNodes:
    """The custom nodes of a worker process, in the server, which runs none of them.

    Args:
        registry: the server's; gets the nodes.
        worker: describes them.

    Attributes:
        timeout: seconds to wait for the first response; loading packs takes its time.
        refresh_timeout: the same when the nodes are known from before.
    """

    def __init__(self, registry: Registry, worker: NodeQuery) -> None:
        self.webs: dict[str, Path] = {}
        self.timeout = LOAD_TIMEOUT_SECONDS
        self.refresh_timeout = REFRESH_TIMEOUT_SECONDS
        self._registry = registry
        self._own = dict(registry.nodes)
        self._worker = worker
        self._known: dict[str, NodeDescription] | None = None

    async def refresh(self, ids: Collection[str] | None = None) -> None:
        """Request the nodes from the worker; they stay as they were if it does not respond."""
        if ids is not None:
            ids = [id for id in ids if id not in self._own]
            if self._known is not None:
                ids = [id for id in ids if id in self._known]
            if not ids:
                return
        wanted = None if self._known is None or ids is None else ids
        ask = partial(self._worker.describe_nodes, wanted)
        try:
            patience = self.timeout if self._known is None else self.refresh_timeout
            answer = await self._request(ask, patience)
        except (CustomNodesUnavailable, RpcError) as error:
            if self._known is None:
                raise CustomNodesUnavailable(str(error)) from error
            log.warning("the worker does not describe its custom nodes; they stay as they were")
            return
        self._update(msgspec.json.decode(answer, type=NodeDescriptions), all=wanted is None)

    def _update(self, found: NodeDescriptions, *, all: bool) -> None:
        fresh = {node.id: node for node in found.nodes}
        known = fresh if all else {**(self._known or {}), **fresh}
        if known != self._known:
            self._known = known
            custom_nodes = {id: self._spec(node) for id, node in known.items()}
            self._registry.nodes = {**self._own, **custom_nodes}
        self._registry.left_out = found.left_out
        self.webs = {pack: Path(path) for pack, path in found.webs.items()}

    def _spec(self, node: NodeDescription) -> NodeSpec:
        check = partial(self._check, node.id) if node.has_check else None
        return spec_of(node, self._not_here, validate_inputs=check)

    async def _check(self, id: str, /, **given: Any) -> Any:
        return await self._request(partial(self._worker.validate_literals, id, given), self.timeout)

    def _not_here(self, /, **_: Any) -> Any:
        raise SoundstageError("custom nodes run in the worker, not here")

    async def _request(self, ask: Callable[[], Any], patience: float) -> Any:
        """The response of the worker; repeated if it is restarted meanwhile."""
        try:
            async with asyncio.timeout(patience):
                while True:
                    try:
                        return await ask()
                    except WorkerLost:
                        log.warning("the worker died before it described its custom nodes")
        except TimeoutError as error:
            raise CustomNodesUnavailable(
                f"the worker did not describe its custom nodes within {patience:.0f} "
                "seconds: one of them may load slowly or hang; the log has the details, try again"
            ) from error
