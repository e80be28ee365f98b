"""The nodes there are: found by entry point, or in a module at hand."""

from __future__ import annotations

import hashlib
import importlib
import logging
import pkgutil
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.authoring.backend import Backend, CpuBackend
from engine.authoring.custom_nodes import CustomNodes
from engine.authoring.errors import DeclarationError
from engine.authoring.protocols import Codec
from engine.authoring.spec import NodeSpec
from engine.authoring.token_counter import TokenCounter

log = logging.getLogger(__name__)

ENTRY_POINT_GROUP = "engine.nodes"
BYTECODE = "__pycache__"


@dataclass
class Registry:
    """Every node by its id, and what else the packs bring.

    Attributes:
        nodes: by class_type.
        failures: pack name to why it could not be imported.
        left_out: class_type of a custom node that is not here, and why.
        bundled: folder -> model name -> path of models that ship inside packs.
        codecs: by full type name.
        backends: names of the classes that know accelerators; imported only in workers.
        counters: names of the classes that count tokens; imported when somebody asks.
        inspectors: names of the functions that say what a model file is.
        custom_nodes: nodes of packs written for ComfyUI, if there are any.
    """

    nodes: dict[str, NodeSpec] = field(default_factory=dict[str, NodeSpec])
    failures: dict[str, str] = field(default_factory=dict[str, str])
    left_out: Mapping[str, str] = field(default_factory=dict[str, str])
    bundled: dict[str, dict[str, Path]] = field(default_factory=dict[str, dict[str, Path]])
    codecs: dict[str, Codec] = field(default_factory=dict[str, Codec])
    backends: list[str] = field(default_factory=list[str])
    token_counters: list[str] = field(default_factory=list[str])
    inspectors: list[str] = field(default_factory=list[str])
    custom_nodes: CustomNodes | None = None

    @classmethod
    def installed(cls, packs: Iterable[str] = ()) -> Registry:
        """The nodes of every installed pack, and of further `packs` by module name.

        One that fails to import is noted in `failures`, the others load.
        """
        registry = cls()
        for module in [*(point.value for point in entry_points(group=ENTRY_POINT_GROUP)), *packs]:
            try:
                registry.add_pack(importlib.import_module(module))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a pack may fail in any way
                log.warning("node pack %r is left out: %s", module, error)
                registry.failures[module] = f"{type(error).__name__}: {error}"
        return registry

    def add_pack(self, package: ModuleType) -> None:
        """Add the nodes, codecs and bundled models of a package's own modules.

        A pack is a package whose modules define nodes; it may also define `CODECS`, a list of
        Codec, `BUNDLED`, folder -> name -> path, and as names ("package.module:Class") `BACKENDS`,
        Backend classes, `TOKENS`, Tokens classes, and `INSPECTORS`, functions that say what a model
        file is (see `inspect`). The versions of its nodes change with any
        of its files, as nodes are thin and what they call is elsewhere in the pack; and with what
        its function `setting()` returns, a text on which results depend besides.
        """
        modules = [package]
        for found in pkgutil.iter_modules(getattr(package, "__path__", [])):
            if not found.ispkg:
                modules.append(importlib.import_module(f"{package.__name__}.{found.name}"))
        setting: Callable[[], str] = getattr(package, "setting", str)
        version = files_version(package, setting())
        self.add_nodes(
            spec.with_version(f"{spec.version}-{version}")
            for module in modules
            for value in vars(module).values()
            if isinstance(spec := getattr(value, "spec", None), NodeSpec)
            and spec.origin == module.__name__
        )
        codecs: Iterable[Codec] = getattr(package, "CODECS", ())
        self.codecs.update({codec.type_name: codec for codec in codecs})
        self.backends.extend(getattr(package, "BACKENDS", ()))
        self.token_counters.extend(getattr(package, "TOKENS", ()))
        self.inspectors.extend(getattr(package, "INSPECTORS", ()))
        bundled: Mapping[str, Mapping[str, Path]] = getattr(package, "BUNDLED", {})
        for folder, files in bundled.items():
            self.bundled.setdefault(folder, {}).update(files)

    def add_nodes(self, specs: Iterable[NodeSpec]) -> None:
        """Add nodes, all of them or none.

        Raises:
            DeclarationError: two nodes have one id.
        """
        nodes = dict(self.nodes)
        for spec in specs:
            known = nodes.setdefault(spec.id, spec)
            if known.function is not spec.function:
                raise DeclarationError(
                    f"{spec.source_location}: node {spec.id!r} is there already, defined at "
                    f"{known.source_location}; rename one of them"
                )
        self.nodes = nodes

    async def refresh(self, ids: Collection[str] | None = None) -> None:
        """Refresh custom nodes, these or all (see `CustomNodes.refresh`)."""
        if self.custom_nodes is not None:
            await self.custom_nodes.refresh(ids)

    def backend(self) -> Backend:
        """The first pack's backend, imported now; the CPU alone if there is none that works."""
        if not self.backends:
            return CpuBackend()
        try:
            return _instantiate(self.backends[0])
        except Exception as error:
            log.exception("no accelerator is used: the backend %s fails", self.backends[0])
            self.failures[self.backends[0]] = f"{type(error).__name__}: {error}"
            return CpuBackend()

    def token_counter(self) -> TokenCounter | None:
        """What counts tokens in the first pack that can, imported now."""
        return _instantiate(self.token_counters[0]) if self.token_counters else None

    def inspect(self, path: Path) -> Mapping[str, Any] | None:
        """What a model file is, by the first pack that can say it, as values for JSON.

        Returns:
            "type", "family", "parameters", "dtypes" and "bytes" of the file, "networks" with their
            bytes in memory on each device, "needs", their sum, "details", and "complaint": why it
            cannot be loaded, None where it can.
        """
        return _named(self.inspectors[0])(path) if self.inspectors else None

    def missing_node_message(self, id: str, message: str) -> str:
        """A message about a missing node, with the reason where one is known."""
        why = self.left_out.get(id)
        return f"{message}." if why is None else f"{message}: {why}"

    def __getitem__(self, id: str) -> NodeSpec:
        return self.nodes[id]

    def get(self, id: Any) -> NodeSpec | None:
        """The node of that id, or None; `id` may be anything a prompt can hold."""
        return self.nodes.get(id) if isinstance(id, str) else None


def _instantiate(name: str) -> Any:
    """A new instance of the class that "package.module:Class" names."""
    return _named(name)()


def _named(name: str) -> Any:
    """What "package.module:name" names, imported now."""
    module, _, named = name.partition(":")
    return getattr(importlib.import_module(module), named)


def files_version(package: ModuleType, setting: str = "") -> str:
    """Changes with a setting, and the name, size or time of change of any file of a package."""
    places: Iterable[str | None] = getattr(package, "__path__", [package.__file__])
    found: list[object] = [setting] if setting else []
    for place in [Path(place) for place in places if place]:
        for path in (place, *sorted(place.rglob("*"))):
            # Other processes write bytecode at any moment, under names that are gone in the next.
            if path.parent.name != BYTECODE and path.is_file():
                stat = path.stat()
                found.append((str(path.relative_to(place)), stat.st_size, stat.st_mtime_ns))
    return hashlib.blake2b(repr(found).encode(), digest_size=8).hexdigest()
