"""Node packs of a folder: found, imported one by one, their classes made into nodes of ours."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import logging
import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import msgspec

from engine.authoring.registry import Registry
from engine.authoring.spec import NodeSpec
from engine.compat.adapter import Adapter, Instances
from engine.compat.declared import Misdeclared, Source, declared
from engine.compat.import_guard import ImportCrashGuard
from engine.compat.plain import presentable, text
from engine.compat.standins.install import install
from engine.compat.v3 import newer_classes
from engine.run.remote_nodes import NodeDescription
from engine.store.folders import Folders

log = logging.getLogger(__name__)

PACKAGE = "custom_nodes"
"""Packs are imported as modules of this package, as they expect."""
DISABLED = ".disabled"
ATTEMPTS_FILE = ".packs"
EARLY_PACKAGE = "prestartup_scripts"
EARLY_SCRIPT = "prestartup_script.py"
"""Of a pack that has one, it runs before any pack is imported."""
DEADLY_TEXT = (
    "the worker process was killed while it loaded this pack; it is left out until the service "
    "starts again"
)


class Deadly(Misdeclared):
    """A pack that ended the process."""


class NoPack(Misdeclared):
    """A module that brings no nodes."""


@dataclass(frozen=True)
class Pack:
    """One imported pack.

    Attributes:
        name: of its folder or file.
        web: its folder of scripts for the browser.
        turn: held while one of its functions runs.
    """

    name: str
    version: str
    classes: Mapping[str, Any]
    titles: Mapping[str, Any]
    web: Path | None
    turn: threading.Lock = field(default_factory=threading.Lock)


def load(directories: Sequence[Path], registry: Registry, folders: Folders) -> Packs:
    """Import every pack in these folders into this process.

    What fails is noted in the registry's `failures` and in the log; everything else loads.
    """
    module = ModuleType(PACKAGE)
    module.__path__ = [str(directory) for directory in directories]
    sys.modules[PACKAGE] = module
    classes = install(registry, folders, directories)
    packs = registry.custom_nodes = Packs(registry)
    attempts = ImportCrashGuard(folders.root("temp") / ATTEMPTS_FILE)
    for name, path in found(directories):
        if name not in attempts.deadly and (path / EARLY_SCRIPT).is_file():
            with attempts.attempt(name):
                packs.prepare(name, path / EARLY_SCRIPT)
    seen: set[str] = set()
    for name, path in found(directories):
        if name in attempts.deadly:
            packs.fail(name, Deadly(DEADLY_TEXT))
        elif name in seen:
            packs.fail(f"{name} in {path.parent.name}", NoPack("another pack has this name"))
        else:
            with attempts.attempt(name):
                packs.add(name, path, classes)
        seen.add(name)
    return packs


def found(directories: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Packages and single modules with their names; hidden and disabled ones are passed over."""
    for directory in directories:
        if not directory.is_dir():
            log.warning("there is no folder %s of node packs", directory)
            continue
        try:
            paths = sorted(directory.iterdir())
        except OSError as error:
            log.warning("the folder %s of node packs cannot be read: %s", directory, error)
            continue
        for path in paths:
            if not path.name.startswith((".", "_")) and path.suffix != DISABLED and is_pack(path):
                yield (path.stem if path.is_file() else path.name), path


def is_pack(path: Path) -> bool:
    """Whether a file or folder is a Python module; one that cannot be looked at is none."""
    try:
        return path.suffix == ".py" if path.is_file() else (path / "__init__.py").is_file()
    except OSError:
        log.warning("%s in a folder of node packs cannot be read", path.name)
        return False


class Packs:
    """The guests of this process (see `LoadedGuests`).

    Args:
        registry: gets the nodes and the failures.
    """

    def __init__(self, registry: Registry) -> None:
        self.declared: dict[str, NodeDescription] = {}
        self.webs: dict[str, Path] = {}
        self._registry = registry
        self._core_version = core_version(registry)
        self._instances = Instances()
        self._classes: dict[str, tuple[Pack, Any]] = {}

    @property
    def left_out(self) -> Mapping[str, str]:
        """Nodes that cannot be nodes, by id, and why."""
        return self._registry.left_out

    async def refresh(self, ids: Collection[str] | None = None) -> None:
        """Call INPUT_TYPES again, which may list files; one that fails now keeps its last."""
        wanted = [id for id in self._classes if ids is None or id in ids]
        if wanted:
            await asyncio.to_thread(self._read, wanted)

    def check(self, id: str, given: Mapping[str, Any]) -> Any:
        """Ask a node's VALIDATE_INPUTS."""
        check = self._registry.nodes[id].validate_inputs
        return True if check is None else check(**given)

    def prepare(self, name: str, script: Path) -> None:
        """Run a pack's script that comes before everything; one that fails is only logged."""
        log.info("running %s of the node pack %s", script.name, name)
        try:
            module_of(script, f"{EARLY_PACKAGE}.{name.replace('.', '_')}")
        except BaseException as error:
            log.exception("%s of the node pack %s failed", script.name, name)
            self.fail(f"{name}: {script.name}", error)

    def add(self, name: str, path: Path, known: dict[str, Any]) -> None:
        """Import one pack; `known` gets its classes, by id."""
        log.info("loading the node pack %s", name)
        try:
            known.update(self.take(imported(name, path)))
        except BaseException as error:
            log.exception("the node pack %s is left out", name)
            self.fail(name, error)

    def take(self, pack: Pack) -> dict[str, Any]:
        """Add the nodes of an imported pack; its classes by id."""
        if pack.web is not None:
            self.webs[pack.name] = pack.web
        for key, kind in pack.classes.items():
            self._add_class(pack, key, kind)
        own = {id: kind for id, (owner, kind) in self._classes.items() if owner is pack}
        self._read([*own])
        return own

    def _add_class(self, pack: Pack, key: Any, kind: Any) -> None:
        try:
            id = text(key)
        except Exception as error:  # noqa: BLE001 - a pack may fail in any way
            self.fail(f"{pack.name}: a name that is no text", error)
            return
        if id not in self._registry.nodes:
            self._classes[id] = (pack, kind)
            return
        owner = self._classes[id][0].name if id in self._classes else "the service itself"
        self.fail(f"{pack.name}: {id}", NoPack(f"{owner} has a node of this name"))

    def _read(self, ids: Sequence[str]) -> None:
        """Read what classes declare, and put the nodes into the registry.

        One that cannot be understood is left out, with the reason; it does no harm to the others.
        """
        nodes, left_out = dict(self._registry.nodes), dict(self._registry.left_out)
        for id in ids:
            pack = self._classes[id][0].name
            name = f"{pack}: {id}"
            try:
                self.declared[id], nodes[id] = self._understood(id)
                self._registry.failures.pop(name, None)
                left_out.pop(id, None)
            except BaseException as error:  # noqa: BLE001 - a pack may fail in any way
                message = self.fail(name, error)
                left_out[id] = f"its declaration in the node pack {pack} cannot be used: {message}"
        self._registry.nodes, self._registry.left_out = nodes, left_out

    def _understood(self, id: str) -> tuple[NodeDescription, NodeSpec]:
        """What a class declares, as the server will get it, and the node that runs it.

        Raises:
            Misdeclared: it cannot be a node.
            BaseException: whatever the pack's code raises.
        """
        pack, kind = self._classes[id]
        title = pack.titles.get(id)
        source = Source(
            id,
            display_name=text(title) if isinstance(title, str) and title.strip() else id,
            origin=f"{PACKAGE}.{pack.name}",
            version=f"{pack.version}-{id}-{self._core_version}",
        )
        node, hidden = declared(kind, source)
        sent = msgspec.json.decode(msgspec.json.encode(node), type=NodeDescription)
        return sent, Adapter(kind, sent, hidden, self._instances, pack.turn).spec()

    def fail(self, name: str, error: BaseException) -> str:
        """Note why a pack, or a node of one, is not there; gives the reason."""
        message = presentable(reason(error))
        if self._registry.failures.get(name) != message:
            log.warning("%s: %s", name, message)
        self._registry.failures[name] = message
        return message


def reason(error: BaseException) -> str:
    """What an error of a pack says, whatever its class does."""
    name = type(error).__name__
    try:
        return text(error) if isinstance(error, Misdeclared) else f"{name}: {text(error)}"
    except Exception:  # noqa: BLE001 - a pack's class may do anything
        return name


def imported(name: str, path: Path) -> Pack:
    """Import a pack.

    Raises:
        NoPack: it has no NODE_CLASS_MAPPINGS, or something else under this name.
        Exception, SystemExit: whatever its code raises.
    """
    module = module_of(path, f"{PACKAGE}.{name.replace('.', '_')}")
    classes = getattr(module, "NODE_CLASS_MAPPINGS", None)
    web = web_folder(path, getattr(module, "WEB_DIRECTORY", None))
    newer: dict[str, Any] = {}
    if classes is None and hasattr(module, "comfy_entrypoint"):
        classes = newer = newer_classes(module.comfy_entrypoint)
    if classes is None and web is not None:
        classes = {}
    if not isinstance(classes, Mapping):
        raise NoPack("has no NODE_CLASS_MAPPINGS, a dict of names to classes")
    titles = getattr(module, "NODE_DISPLAY_NAME_MAPPINGS", None)
    titles = dict(cast("Mapping[Any, Any]", titles)) if isinstance(titles, Mapping) else {}
    if newer:
        titles = {id: kind.DISPLAY_NAME or id for id, kind in newer.items()}
    return Pack(
        name=name,
        version=code_version(path),
        classes=cast("Mapping[str, Any]", classes),
        titles=titles,
        web=web,
    )


def module_of(path: Path, name: str) -> ModuleType:
    """Import the file or package at `path` under a name."""
    file = path / "__init__.py" if path.is_dir() else path
    places = [str(path)] if path.is_dir() else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=places)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file.name} is no Python module")
    for stale in [known for known in sys.modules if known.startswith(f"{name}.")]:
        del sys.modules[stale]
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def web_folder(path: Path, name: Any) -> Path | None:
    """A pack's WEB_DIRECTORY, if it is a folder inside of the pack."""
    if not isinstance(name, str) or not path.is_dir():
        return None
    try:
        web = (path / name).resolve()
        if web.is_dir() and web.is_relative_to(path.resolve()):
            return web
    except (OSError, ValueError):
        pass  # no path at all
    log.warning("the WEB_DIRECTORY %r of %s is no folder in it", name, path.name)
    return None


def core_version(registry: Registry) -> str:
    """Changes with the code of any node of our own: packs may derive from it or call it."""
    versions = sorted(spec.version for spec in registry.nodes.values())
    return hashlib.blake2b(repr(versions).encode(), digest_size=8).hexdigest()


def code_version(path: Path) -> str:
    """Changes with the name, size or time of change of any Python file of a pack."""
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    there = [file for file in files if file.is_file()]  # a link may lead nowhere
    facts = [(str(file), (stat := file.stat()).st_size, stat.st_mtime_ns) for file in there]
    return hashlib.blake2b(repr(facts).encode(), digest_size=8).hexdigest()
