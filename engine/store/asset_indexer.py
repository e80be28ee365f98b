"""Keeps the asset table in sync with the folders: one run at a time."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from msgspec import Struct

from engine.authoring.errors import MissingFile
from engine.store.assets import Asset, Assets
from engine.store.content_hash import hash_file
from engine.store.folder_scanner import FolderScanner

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


class AssetIndexer:
    """Scans the folders on request; hashes the files' content in the background.

    Attributes:
        progress: of the run that goes on, or of the last one.
        errors: of that run, for people.
    """

    def __init__(self, assets: Assets, scanner: FolderScanner) -> None:
        self.progress = Progress()
        self.errors: list[str] = []
        self._assets = assets
        self._scanner = scanner
        self._scanning: asyncio.Task[None] | None = None
        self._full_run: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether a run that somebody began goes on."""
        return self._full_run is not None and not self._full_run.done()

    async def refresh(self, patience: float) -> None:
        """Index the folders that have changed; returns after `patience` seconds at most."""
        if not self.running:
            looking = self._start_scan()
            await asyncio.wait({looking}, timeout=patience)
            if looking.done() and not looking.cancelled():
                looking.result()

    def start(self) -> bool:
        """Index all folders and hash all files in the background; False if already running."""
        if self.running:
            return False
        self._full_run = asyncio.get_running_loop().create_task(self._run())
        return True

    async def wait(self) -> None:
        """Until the run is over."""
        if self._full_run is not None:
            await asyncio.wait({self._full_run})

    async def cancel(self) -> bool:
        """Stop the run; whether there was one."""
        running = self.running
        for task in (self._full_run, self._scanning):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        return running

    def _start_scan(self) -> asyncio.Task[None]:
        if self._scanning is None or self._scanning.done():
            self._scanning = asyncio.get_running_loop().create_task(self._scan())
            self._scanning.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._scanning

    async def _scan(self) -> None:
        try:
            folders, changed = await asyncio.to_thread(self._scanner.scan)
            self.progress = Progress(total=sum(map(len, changed.values())))
            for folder, files in changed.items():
                self.progress.created += await self._assets.reconcile(folder, files)
                self.progress.scanned += len(files)
            await self._assets.keep_only(folders)
        except BaseException:
            self._scanner.reset()  # what was seen may not have been written
            raise

    async def _run(self) -> None:
        self.errors = []
        self._scanner.reset()
        try:
            await self._start_scan()
            for asset in await self._assets.unhashed():
                await self._hash(asset)
        except Exception as error:
            log.exception("the folders could not be indexed")
            self.errors.append(f"{type(error).__name__} while the folders were indexed")

    async def _hash(self, asset: Asset) -> None:
        with suppress(MissingFile):
            try:
                hash = await asyncio.to_thread(hash_file, self._assets.path(asset))
            except OSError as error:
                self.errors.append(f"{asset.folder}/{asset.file}: {error.strerror}")
                return
            self._assets.change(asset, hash=hash)
            self.progress.hashed += 1
