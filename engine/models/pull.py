"""Bring a model of the catalogue home: complete, verified, all or nothing."""

from __future__ import annotations

import io
import json
import logging
import math
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from engine.authoring.errors import SoundstageError
from engine.models.catalog import CATALOG, Arrays, Model, ModelFile, Source
from engine.models.download import SourceError, WrongDigest, file_sha256
from engine.models.fetch import Fetch, Progress
from engine.models.sites import Sites

log = logging.getLogger(__name__)

STAMP = ".verified.json"
PIECES = ".pieces"


class PullError(SoundstageError):
    """A model could not be fetched; one line that says what is missing and what to do."""


def pull(
    name: str,
    models_dir: Path,
    progress: Progress,
    *,
    catalog: Mapping[str, Model] = CATALOG,
    sites: Sites | None = None,
) -> list[Path]:
    """Make sure that every file of a model is in the models folder, and right.

    Files that are there and verified cost one `stat` each. Whatever else came before, by hand
    or by a broken pull, is checked and used.

    Args:
        name: of the model in the catalogue.
        models_dir: the home's models folder; made if absent.
        progress: called every few kilobytes.
        catalog: what can be pulled.
        sites: where to ask; None asks what is configured on this machine.

    Returns:
        The files, in the catalogue's order.

    Raises:
        PullError: unknown name, disk full, or no source gives a file.
    """
    if name not in catalog:
        raise PullError(f"there is no model {name!r} to pull; there is {', '.join(catalog)}")
    model = catalog[name]
    folder = models_dir.joinpath(model.folder)
    missing = missing_files(model, folder)
    if missing:
        from filelock import FileLock

        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".pull.lock"):
            _pull_files(name, model, folder, progress, sites or Sites.configured())
    return [folder / file.name for file in model.files]


def missing_files(model: Model, folder: Path) -> list[ModelFile]:
    """The files of a model that are absent from its folder, or not known to be right.

    Reads names, sizes and times only; never hashes.
    """
    stamps = _read_stamps(folder)
    return [file for file in model.files if not _is_stamped(folder / file.name, file, stamps)]


def _pull_files(name: str, model: Model, folder: Path, progress: Progress, sites: Sites) -> None:
    missing = [file for file in missing_files(model, folder) if not _adopt(file, folder)]
    _check_space(model, missing, folder)
    refusals: list[str] = []
    failed: list[ModelFile] = []
    for file in missing:
        reasons = _pull_file(file, folder, progress, sites)
        if reasons is not None:
            failed.append(file)
            refusals += [reason for reason in reasons if reason not in refusals]
    if failed:
        by_hand = ", ".join(
            f"{file.name} (sha256 {' or '.join(sorted(file.digests))})" for file in failed
        )
        raise PullError(
            f"{model.title}: {', '.join(file.name for file in failed)} could not be fetched: "
            f"{'; '.join(refusals) or 'no source is configured'}. Connect to the network, or "
            f"point pip at a mirror (pip config set global.index-url URL), then run 'soundstage "
            f"models pull {name}' again; or put into {folder} by hand: {by_hand}"
        )
    shutil.rmtree(folder / PIECES, ignore_errors=True)


def _pull_file(file: ModelFile, folder: Path, progress: Progress, sites: Sites) -> list[str] | None:
    """Try each source; None when the file is there, else why each source failed."""
    reasons: list[str] = []
    for source in file.sources:
        fetch = Fetch(source, file.name, folder / PIECES, progress, sites)
        try:
            _assemble(fetch.pieces(), file, source, folder)
            return None
        except SourceError as error:
            log.info("%s from %s: %s", file.name, source.title, error)
            reasons.append(f"{source.title} {error}")
    return reasons


def _assemble(
    pieces: Iterator[tuple[str, BinaryIO]], file: ModelFile, source: Source, folder: Path
) -> None:
    target = folder / file.name
    part = target.with_name(target.name + ".part")
    try:
        with part.open("wb") as made:
            if file.arrays is None:
                for _, content in pieces:
                    shutil.copyfileobj(content, made)
            else:
                _pack(pieces, file.arrays, made)
        if file_sha256(part) != source.sha256:
            raise WrongDigest("sends a file with a wrong sha256; it was removed")
        part.replace(target)
    except WrongDigest:
        shutil.rmtree(folder / PIECES)
        raise
    finally:
        part.unlink(missing_ok=True)
    _stamp(target, source.sha256)


def _pack(pieces: Iterator[tuple[str, BinaryIO]], arrays: Arrays, made: BinaryIO) -> None:
    import numpy as np

    size = math.prod(arrays.shape) * np.dtype("<f4").itemsize
    packed: dict[str, np.ndarray] = {}
    for name, content in pieces:
        raw = content.read(size + 1)
        if len(raw) != size:
            raise WrongDigest(f"sends {name} in a wrong size; it was removed")
        packed[Path(name).stem] = np.frombuffer(raw, "<f4").reshape(arrays.shape)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **packed)
    made.write(buffer.getbuffer())


def _check_space(model: Model, missing: list[ModelFile], folder: Path) -> None:
    need = sum(file.size + max(source.size for source in file.sources) for file in missing)
    free = shutil.disk_usage(folder).free
    if need > free:
        raise PullError(
            f"{model.title} needs {need / 1e6:,.0f} MB in {folder} while it is fetched, "
            f"{free / 1e6:,.0f} MB are free; free some space or choose another home"
        )


def _adopt(file: ModelFile, folder: Path) -> bool:
    """Whether the file lies there already, by hand say; stamped if so."""
    path = folder / file.name
    if not path.is_file():
        return False
    digest = file_sha256(path)
    if digest not in file.digests:
        log.warning("%s is not the file it should be; it will be fetched again", path)
        return False
    _stamp(path, digest)
    return True


def _is_stamped(path: Path, file: ModelFile, stamps: dict[str, object]) -> bool:
    return path.is_file() and any(
        stamps.get(file.name) == _mark(path, digest) for digest in file.digests
    )


def _mark(path: Path, digest: str) -> dict[str, object]:
    found = path.stat()
    return {"size": found.st_size, "mtime_ns": found.st_mtime_ns, "sha256": digest}


def _stamp(path: Path, digest: str) -> None:
    stamps = _read_stamps(path.parent) | {path.name: _mark(path, digest)}
    written = path.with_name(STAMP + ".part")
    written.write_text(json.dumps(stamps, indent=1), encoding="utf-8")
    written.replace(path.with_name(STAMP))


def _read_stamps(folder: Path) -> dict[str, object]:
    try:
        return dict(json.loads((folder / STAMP).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
