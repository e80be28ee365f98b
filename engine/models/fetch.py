"""The pieces of a model file from one of its sources, each downloaded and opened as data."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, cast
from urllib.parse import urlsplit

from engine.models.catalog import Archive, Hub, Index, Source
from engine.models.download import SourceError, Unreachable, download
from engine.models.sites import Sites

INDEX_SECONDS = (4, 30)


class Progress(Protocol):
    """Told now and then how far a file has come."""

    def __call__(self, file: str, done: int, total: int) -> None:
        """`done` of `total` bytes of `file` are here; `done` may fall when a source is left."""
        ...


class Fetch:
    """The pieces of one file from one source, downloaded one after the other."""

    def __init__(
        self, source: Source, file: str, folder: Path, progress: Progress, sites: Sites
    ) -> None:
        self.source = source
        self.file = file
        self.folder = folder
        self.progress = progress
        self.sites = sites
        self.session = sites.session()
        self.done = 0

    def pieces(self) -> Iterator[tuple[str, BinaryIO]]:
        """Name and content of each piece.

        Raises:
            SourceError: the source cannot give one of them.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        match self.source:
            case Hub():
                yield from self._hub_pieces(self.source)
            case Index():
                for archive in self.source.archives:
                    yield from _members(self._archive(archive), archive)

    def _hub_pieces(self, hub: Hub) -> Iterator[tuple[str, BinaryIO]]:
        from huggingface_hub import hf_hub_url

        if self.sites.hub is None:
            raise SourceError("is switched off (HF_HUB_OFFLINE)")
        for path in hub.paths:
            url = hf_hub_url(hub.repo, path, endpoint=self.sites.hub)
            name = f"{hub.sha256[:12]}-{path.replace('/', '-')}.piece"
            piece = self._get(url, name, hub.size, None)
            with piece.open("rb") as content:
                yield path, content

    def _archive(self, archive: Archive) -> Path:
        ready = self.folder / archive.filename
        if ready.exists():
            self.done += archive.size
            return ready
        reasons: list[str] = []
        for index in self.sites.indexes:
            try:
                url = self._find(index, archive)
                return self._get(url, archive.filename, archive.size, archive.sha256)
            except SourceError as error:
                reasons.append(str(error))
        raise SourceError("; ".join(dict.fromkeys(reasons)) or "is not configured")

    def _find(self, index: str, archive: Archive) -> str:
        import requests
        from pypi_simple import NoSuchProjectError, PyPISimple, UnsupportedContentTypeError

        self._check_alive(index)
        client = PyPISimple(index, session=self.session)
        try:
            page = client.get_project_page(archive.project, timeout=INDEX_SECONDS)
        except NoSuchProjectError:
            raise SourceError(f"does not know {archive.project}") from None
        except requests.ConnectionError as error:
            self.sites.dead.add(urlsplit(index).netloc)
            raise Unreachable from error
        except (requests.RequestException, UnsupportedContentTypeError, ValueError) as error:
            raise SourceError(f"gives no list of {archive.project}: {error}") from error
        for package in page.packages:
            if package.filename == archive.filename:
                return package.url
        raise SourceError(f"does not have {archive.filename}")

    def _get(self, url: str, name: str, limit: int, sha256: str | None) -> Path:
        target = self.folder / name
        before = self.done

        def received(count: int) -> None:
            self.done = before + count
            self.progress(self.file, self.done, self.source.size)

        if not target.exists():
            self._check_alive(url)
            try:
                download(self.session, url, target, limit=limit, sha256=sha256, received=received)
            except Unreachable:
                self.sites.dead.add(urlsplit(url).netloc)
                raise
        received(target.stat().st_size)
        return target

    def _check_alive(self, url: str) -> None:
        if urlsplit(url).netloc in self.sites.dead:
            raise Unreachable


def _members(path: Path, archive: Archive) -> Iterator[tuple[str, BinaryIO]]:
    """The wanted members of an archive, by exact name; nothing is unpacked to disk."""
    try:
        if archive.filename.endswith((".whl", ".zip")):
            with zipfile.ZipFile(path) as opened:
                for member in archive.members:
                    with opened.open(member) as content:
                        yield member, cast("BinaryIO", content)
        else:
            with tarfile.open(path, "r:*") as opened:
                for member in archive.members:
                    content = opened.extractfile(member)
                    if content is None:
                        raise KeyError(member)
                    yield member, cast("BinaryIO", content)
    except (KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise SourceError(f"{archive.filename} does not hold what it should: {error}") from error
