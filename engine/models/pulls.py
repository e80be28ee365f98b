"""Models on their way into the models folder, each in a thread, until the service ends."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from engine.authoring.errors import SoundstageError
from engine.models.catalog import CATALOG, Model
from engine.models.download import SourceError
from engine.models.one_file import fetch_model
from engine.models.pull import pull
from engine.models.sites import Sites

log = logging.getLogger(__name__)

KEPT = 50


class Stopped(SoundstageError):
    """Somebody does not want the model any more."""


@dataclass(frozen=True)
class Offer:
    """A model file that the catalogue knows."""

    folder: str
    name: str
    model: str
    title: str
    licence: str
    size: int


@dataclass
class Pull:
    """One model on its way.

    Attributes:
        folder, name: what is missing: a kind of models, and a file among them.
        source: the host that it comes from, or the catalogue's title of it.
        done, total: bytes; of the file that comes now, where there are several.
        error: why it failed, for people.
    """

    folder: str
    name: str
    source: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: Literal["running", "done", "failed", "cancelled"] = "running"
    done: int = 0
    total: int | None = None
    error: str | None = None
    stopped: threading.Event = field(default_factory=threading.Event, repr=False)
    thread: threading.Thread | None = field(default=None, repr=False)

    def on_progress(self, done: int, total: int | None) -> None:
        """So much is here.

        Raises:
            Stopped: it is not wanted any more.
        """
        if self.stopped.is_set():
            raise Stopped
        self.done, self.total = done, total


class Pulls:
    """The pulls since the service began, newest last."""

    def __init__(self, models: Path, catalog: Mapping[str, Model] = CATALOG) -> None:
        self.models = models
        self.catalog = catalog
        self._pulls: dict[str, Pull] = {}

    def all(self) -> list[Pull]:
        """Those that run, and the last of those that are over."""
        return list(self._pulls.values())

    def offers(self) -> list[Offer]:
        """Every file that comes without an address."""
        return [
            Offer(str(model.folder), file.name, name, model.title, model.licence, file.size)
            for name, model in self.catalog.items()
            for file in model.files
        ]

    def begin(
        self, folder: str, name: str, target: Path, url: str | None, sha256: str | None
    ) -> Pull | None:
        """Start to fetch a model file; one that comes already is the answer.

        Args:
            folder: a kind of models.
            name: of the file in it, checked by the caller; may have folders of its own.
            target: its place.
            url: where it is; None for what the catalogue knows.
            sha256: what it must be, if that is known.

        Returns:
            The pull; None without an address for what the catalogue does not know.
        """
        for known in self._pulls.values():
            if (known.folder, known.name, known.state) == (folder, name, "running"):
                return known
        if url is not None:
            host = urlsplit(url).netloc.rpartition("@")[2]
            work = partial(_fetch, url=url, target=target, sha256=sha256)
            return self._start(Pull(folder, name, host), work)
        for offer in self.offers():
            if (offer.folder, offer.name) == (folder, name):
                work = partial(self._pull, model=offer.model)
                return self._start(Pull(folder, name, offer.title), work)
        return None

    def cancel(self, id: str) -> bool:
        """Stop a pull; whether there is one of that id. What came is gone on with next time."""
        found = self._pulls.get(id)
        if found is None:
            return False
        found.stopped.set()
        if found.state == "running":
            found.state = "cancelled"
        return True

    def close(self) -> None:
        """Stop them all; their threads end with the process."""
        for id in self._pulls:
            self.cancel(id)

    def _start(self, pulled: Pull, work: Callable[[Pull], None]) -> Pull:
        self._pulls[pulled.id] = pulled
        over = [one.id for one in self._pulls.values() if one.state != "running"]
        for id in over[: max(0, len(self._pulls) - KEPT)]:
            del self._pulls[id]
        # One that was stopped may still wait for its host, with the same file in its hands.
        before = [one.thread for one in self._pulls.values() if one.thread and _same(one, pulled)]
        pulled.thread = threading.Thread(target=_run, args=(pulled, work, before), daemon=True)
        pulled.thread.start()
        return pulled

    def _pull(self, pulled: Pull, model: str) -> None:
        def on_progress(file: str, done: int, total: int) -> None:
            pulled.on_progress(done, total)

        pull(model, self.models, on_progress, catalog=self.catalog)


def _fetch(pulled: Pull, url: str, target: Path, sha256: str | None) -> None:
    sites = Sites.configured()
    fetch_model(url, target, sha256=sha256, sites=sites, received=pulled.on_progress)


def _same(one: Pull, other: Pull) -> bool:
    return (one.folder, one.name) == (other.folder, other.name)


def _run(pulled: Pull, work: Callable[[Pull], None], before: Sequence[threading.Thread]) -> None:
    for thread in before:
        thread.join()
    if pulled.stopped.is_set():
        return
    try:
        work(pulled)
        state = "done"
    except Stopped:
        state = "cancelled"
    except SourceError as error:
        pulled.error, state = f"{pulled.source} {error}", "failed"
    except SoundstageError as error:
        pulled.error, state = str(error), "failed"
    except OSError as error:
        pulled.error, state = f"{pulled.name} cannot be written: {error.strerror}", "failed"
    except Exception:
        log.exception("the pull of %s failed", pulled.name)
        pulled.error, state = f"{pulled.name} was not fetched; the log has the details", "failed"
    if not pulled.stopped.is_set():
        pulled.state = state
