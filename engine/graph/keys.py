"""Content addresses: what a node's result depends on, as one short key.

Equal keys mean equal results, whatever the nodes' ids, whoever asked, before or after a restart.
A key covers the node's code, its literals, the identity of every file it names, and the keys of
the nodes it takes from.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from engine.authoring.markers import Files
from engine.authoring.spec import Input
from engine.graph.prompt import Graph, GraphNode

log = logging.getLogger(__name__)


class FileIdentities(Protocol):
    """What keys ask of the home's folders."""

    def identity(self, files: Files, name: str) -> str:
        """Changes when the file behind the name is replaced."""
        ...


def keys(graph: Graph, outputs: Sequence[str], job: str, folders: FileIdentities) -> dict[str, str]:
    """The key of every node that `outputs` need, lazily needed ones too.

    An impure node's key holds the job's id: its result is reused when the job resumes after a
    crash, by no other job.
    """
    made: dict[str, str] = {}
    for node in graph.ordered(outputs):
        digest = hashlib.blake2b(digest_size=20)
        digest.update(repr(_ingredients(node, made, job, folders)).encode())
        made[node.id] = digest.hexdigest()
    return made


def _ingredients(
    node: GraphNode, made: dict[str, str], job: str, folders: FileIdentities
) -> list[Any]:
    spec = node.spec
    found: list[Any] = [spec.id, spec.version]
    if not spec.pure:
        found.append((job, node.id))
    if spec.fingerprint is not None:
        found.append(_fingerprint(node, spec.fingerprint, job))
    for name, value in sorted(node.literals.items()):
        found.append((name, value))
        files = names_files(spec.by_name[name])
        if files is not None:
            found.append(folders.identity(files, str(value)))
    for name, link in sorted(node.links.items()):
        found.append((name, made[link.node], link.slot))
        if names_files(spec.by_name[name]):  # which file it is shows only when the job runs
            found.append(job)
    return found


def names_files(input: Input) -> Files | None:
    """The files that an input chooses among, if it does."""
    options = input.choice.options if input.choice is not None else None
    return options if isinstance(options, Files) else None


def _fingerprint(node: GraphNode, fingerprint: Callable[..., object], job: str) -> object:
    """What the node's fingerprint says of its literals; linked inputs are None there."""
    try:
        return fingerprint(**dict.fromkeys(node.links), **node.literals)
    except Exception:
        log.exception("the fingerprint of node %s (%s) failed, it runs", node.id, node.spec.id)
        return job, node.id
