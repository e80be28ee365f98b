"""Content addresses: what a node's result depends on, as one short key.

Equal keys mean equal results, whatever the nodes' ids, whoever asked, before or after a restart.
A key covers the node's code, its literals, the identity of every file it names, and the keys of
the nodes it takes from.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, cast

from engine.authoring.markers import Files
from engine.authoring.spec import MISSING, Input
from engine.graph.prompt import GraphNode, Link

log = logging.getLogger(__name__)


class FileIdentities(Protocol):
    """What keys ask of the home's folders."""

    def identity(self, files: Files, name: str) -> str:
        """Changes when the file behind the name is replaced."""
        ...

    def identities(self, files: Files) -> str:
        """Changes when any of the files is replaced, comes or goes."""
        ...


class CacheKeys:
    """The keys of one job's nodes.

    Args:
        job: what no other job is called, ever. The key of an impure node holds it: its result is
            reused when the job resumes after a crash, by no other job.
        folders: identifies files.

    Attributes:
        has_job: a node's key holds the job, so that no other job reuses its result.
    """

    def __init__(self, job: str, folders: FileIdentities) -> None:
        self._job = job
        self._folders = folders
        self._identities: dict[Files, str] = {}
        self.made: dict[str, str] = {}
        self.has_job = False

    def add(
        self,
        nodes: Iterable[GraphNode],
        fingerprints: Mapping[str, object],
        parent: GraphNode | None = None,
    ) -> None:
        """Make the keys of further nodes.

        Args:
            nodes: each after those it takes from.
            fingerprints: of those nodes that have one, as `fingerprints` finds them.
            parent: the node that expanded into them. What it puts into them by value follows
                from its own key.
        """
        for node in nodes:
            digest = hashlib.blake2b(digest_size=20)
            digest.update(repr(self._ingredients(node, fingerprints, parent)).encode())
            self.made[node.id] = digest.hexdigest()

    def _ingredients(
        self, node: GraphNode, fingerprints: Mapping[str, object], parent: GraphNode | None
    ) -> list[Any]:
        spec = node.spec
        found: list[Any] = [spec.id, spec.version]
        if not spec.pure:
            found.append((self._of_job(), node.id))
        elif spec.not_idempotent:
            found.append(node.id)
        fingerprint = comparable(fingerprints.get(node.id, node.changed))
        if fingerprint is not MISSING:
            never = is_never_equal(fingerprint)
            found.append((self._of_job(), node.id) if never else fingerprint)
        for name, value in sorted(node.literals.items()):
            if name in node.opaque and parent is not None:
                value = (self.made[parent.id], node.id.removeprefix(parent.id))
            found += [(name, value), *self._named(spec.input(name), value)]
        for name, link in sorted(node.links.items()):
            found += [
                (name, self.made[link.node], link.slot),
                *self._behind(spec.input(name), link),
            ]
        return found

    def _of_job(self) -> str:
        self.has_job = True
        return self._job

    def _named(self, input: Input, value: Any) -> Iterator[str]:
        """The files that a literal names."""
        files = names_files(input)
        if files is not None:
            yield self._folders.identity(files, str(value))
        if input.mentions is not None and input.mentions.any_in(str(value)):
            yield self._all_of(input.mentions.files)

    def _behind(self, input: Input, link: Link) -> Iterator[str]:
        """What matters of a link besides what comes by it: that shows only when the job runs."""
        if names_files(input):
            yield self._of_job()
        if input.mentions is not None:  # most texts mention none, whose results others may use
            yield self._all_of(input.mentions.files)
        if input.raw:  # the node is given the link itself
            yield link.node

    def _all_of(self, files: Files) -> str:
        if files not in self._identities:
            self._identities[files] = self._folders.identities(files)
        return self._identities[files]


def names_files(input: Input) -> Files | None:
    """The files that an input chooses among, if it does."""
    options = input.choice.options if input.choice is not None else None
    return options if isinstance(options, Files) else None


def comparable(fingerprint: object) -> object:
    """A fingerprint whose repr differs whenever it does; NaN for what cannot be compared.

    The repr of an array leaves out what is in its middle, so its bytes are hashed; that of an
    object that says nothing of itself is its address, which another one may have later.
    """
    if isinstance(fingerprint, list):
        return [comparable(item) for item in cast("list[object]", fingerprint)]
    if type(fingerprint) is tuple:
        return tuple(comparable(item) for item in cast("tuple[object, ...]", fingerprint))
    if isinstance(fingerprint, dict):
        items = cast("dict[object, object]", fingerprint).items()
        return [(comparable(key), comparable(value)) for key, value in items]
    if hasattr(type(fingerprint), "__array__"):
        return _content_of_array(fingerprint)
    says_nothing = type(fingerprint).__repr__ is object.__repr__ and fingerprint is not MISSING
    return float("nan") if says_nothing else fingerprint


def _content_of_array(array: Any) -> object:
    try:
        plain = array.__array__()
        if plain.dtype.hasobject:
            return comparable(plain.tolist())
        content = hashlib.blake2b(plain.tobytes(), digest_size=20).hexdigest()
        return (str(plain.dtype), plain.shape, content)
    except Exception:
        log.exception("a fingerprint that is an array cannot be read, its node runs")
        return float("nan")


def is_never_equal(fingerprint: object) -> bool:
    """Whether a fingerprint is NaN, or a list with one in it: such a node always runs."""
    if isinstance(fingerprint, list | tuple):
        return any(map(is_never_equal, fingerprint))  # pyright: ignore[reportUnknownArgumentType] - a node's own
    return isinstance(fingerprint, float) and fingerprint != fingerprint


def has_fingerprint(node: GraphNode) -> bool:
    """Whether the node is to be asked for one."""
    return node.spec.fingerprint is not None and node.changed is MISSING


async def fingerprints(nodes: Iterable[GraphNode]) -> dict[str, object]:
    """What the fingerprints of nodes say of their literals; linked inputs are None there.

    A fingerprint that the client gives with the prompt is taken as it is. One that fails is NaN.
    """
    return {node.id: await _fingerprint(node) for node in nodes if has_fingerprint(node)}


async def _fingerprint(node: GraphNode) -> object:
    ask = node.spec.fingerprint
    assert ask is not None, "the caller has looked"
    given = {**dict.fromkeys(node.links), **node.literals}
    try:
        if inspect.iscoroutinefunction(ask):
            return await ask(**given)
        said = await asyncio.to_thread(ask, **given)
        return await said if inspect.isawaitable(said) else said
    except Exception:
        log.exception("the fingerprint of node %s (%s) failed, it runs", node.id, node.spec.id)
        return float("nan")
