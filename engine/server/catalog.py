"""/object_info: every node there is, rendered once and again only when folders change."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.authoring.markers import Files
from engine.authoring.registry import Registry
from engine.authoring.spec import Input, NodeSpec
from engine.graph.node_info import node_info
from engine.server.wire import encoded
from engine.store.folders import Folders

Listing = dict[Files, list[str]]


@dataclass(frozen=True)
class Rendered:
    """object_info as bytes, for one state of the folders and of the registry."""

    listing: Listing
    nodes: Mapping[str, NodeSpec]
    body: bytes
    etag: str


class Catalog:
    """The nodes as clients see them."""

    def __init__(self, registry: Registry, folders: Folders) -> None:
        self._registry = registry
        self._folders = folders
        self._rendered: Rendered | None = None
        self._choices = {
            input.choice.options
            for spec in registry.nodes.values()
            for input in every(spec.inputs)
            if input.choice is not None and isinstance(input.choice.options, Files)
        }

    @property
    def ids(self) -> frozenset[str]:
        """The nodes that there are."""
        return frozenset(self._registry.nodes)

    async def rendered(self) -> Rendered:
        """All nodes; a changed folder changes body and etag, and so does a guest's changed node.

        Raises:
            CustomNodesUnavailable: the worker does not describe its custom nodes.
        """
        await self._registry.refresh()
        listing, nodes = await asyncio.to_thread(self._list), self._registry.nodes
        last = self._rendered
        if last is None or last.listing != listing or last.nodes is not nodes:
            specs = nodes.values()
            body = encoded({spec.id: node_info(spec, listing.__getitem__) for spec in specs})
            digest = hashlib.blake2b(body, digest_size=16).hexdigest()
            last = self._rendered = Rendered(listing, nodes, body, digest)
        return last

    async def node(self, id: str) -> dict[str, Any]:
        """One node by its id, or nothing."""
        await self._registry.refresh([id])
        spec = self._registry.get(id)
        if spec is None:
            return {}
        listing = await asyncio.to_thread(self._list)
        return {id: node_info(spec, listing.__getitem__)}

    def _list(self) -> Listing:
        return {files: self._folders.files(files) for files in self._choices}


def every(inputs: Iterable[Input]) -> Iterator[Input]:
    """Inputs, and those that options and slots of theirs bring."""
    for input in inputs:
        yield input
        yield from every(child for variant in input.variants for child in variant.inputs)
        if input.slot is not None:
            yield input.slot
