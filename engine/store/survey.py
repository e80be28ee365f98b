"""Keeps the assets in line with the folders: one run at a time."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from msgspec import Struct

from engine.authoring.errors import MissingFile
from engine.store.assets import Asset, Assets
from engine.store.census import Census
from engine.store.digest import of_file

log = logging.getLogger(__name__)


class Progress(Struct):
    """Of a run: files of changed folders, those that are new, those whose content was read.

    Attributes:
        total: of the files to look at, as far as known.
    """

    scanned: int = 0
    total: int = 0
    created: int = 0
    hashed: int = 0


class Survey:
    """Looks at the folders when asked to; in the background it reads what files contain.

    Attributes:
        progress: of the run that goes on, or of the last one.
        errors: of that run, for people.
    """

    def __init__(self, assets: Assets, census: Census) -> None:
        self.progress = Progress()
        self.errors: list[str] = []
        self._assets = assets
        self._census = census
        self._looking: asyncio.Task[None] | None = None
        self._whole: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether a run that somebody began goes on."""
        return self._whole is not None and not self._whole.done()

    async def refresh(self, patience: float) -> None:
        """Look at the folders that have changed; go on without an answer after some seconds."""
        if not self.running:
            looking = self._look()
            await asyncio.wait({looking}, timeout=patience)
            if looking.done() and not looking.cancelled():
                looking.result()

    def begin(self) -> bool:
        """Look at all folders and read the content of all files; False if that goes on already."""
        if self.running:
            return False
        self._whole = asyncio.get_running_loop().create_task(self._run())
        return True

    async def wait(self) -> None:
        """Until the run is over."""
        if self._whole is not None:
            await asyncio.wait({self._whole})

    async def cancel(self) -> bool:
        """Stop the run; whether there was one."""
        running = self.running
        for task in (self._whole, self._looking):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        return running

    def _look(self) -> asyncio.Task[None]:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._compare())
            self._looking.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._looking

    async def _compare(self) -> None:
        try:
            places, changed = await asyncio.to_thread(self._census.take)
            self.progress = Progress(total=sum(map(len, changed.values())))
            for place, files in changed.items():
                self.progress.created += await self._assets.reconcile(place, files)
                self.progress.scanned += len(files)
            await self._assets.keep_only(places)
        except BaseException:
            self._census.forget()  # what was seen may not have been written
            raise

    async def _run(self) -> None:
        self.errors = []
        self._census.forget()
        try:
            await self._look()
            for asset in await self._assets.unhashed():
                await self._read(asset)
        except Exception as error:
            log.exception("the folders could not be surveyed")
            self.errors.append(f"{type(error).__name__} while the folders were surveyed")

    async def _read(self, asset: Asset) -> None:
        with suppress(MissingFile):
            try:
                hash = await asyncio.to_thread(of_file, self._assets.path(asset))
            except OSError as error:
                self.errors.append(f"{asset.folder}/{asset.file}: {error.strerror}")
                return
            self._assets.change(asset, hash=hash)
            self.progress.hashed += 1
