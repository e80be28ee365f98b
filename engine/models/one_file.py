"""One model file from an address that the user gave: resumed, checked, all or nothing."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from engine.models.download import CONNECT_SECONDS, STALL_SECONDS, SourceError, download
from engine.models.sites import Sites

if TYPE_CHECKING:
    from requests import Response, Session

SAFETENSORS = (".safetensors", ".sft")
SUFFIXES = (*SAFETENSORS, ".onnx")
"""Files that hold numbers alone; the others can hold programs, and are never fetched."""

LARGEST_HEADER = 100 << 20
ONNX_BEGINS = b"\x08"
SHA256 = re.compile(r"[0-9a-f]{64}")
LINKED = "X-Linked-ETag"
"""Where a model hub says the sha256 of a large file."""


def fetch_model(
    url: str,
    target: Path,
    *,
    sha256: str | None,
    sites: Sites,
    received: Callable[[int, int | None], None],
) -> None:
    """Fetch a model file to `target`; what a broken pull left of the same address is gone on with.

    Args:
        url: http or https.
        target: its place, with one of `SUFFIXES`; its folder is made.
        sha256: lower-case hex digest; None takes what the host says of it, if it does.
        sites: certificates and proxy of this machine.
        received: called with the bytes that are here so far, and with all there are, if known.

    Raises:
        SourceError: unreachable, refused, broken off, too large for the disk, or no such file.
    """
    session = sites.session()
    size, reported = _asked(session, url)
    free = shutil.disk_usage(_existing(target.parent)).free
    if size is not None and size > free:
        raise SourceError(
            f"sends {size / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free; free some space"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.blake2b(f"{url} {target.name}".encode(), digest_size=8).hexdigest()
    pulled = target.with_name(f".{digest}.pull")
    try:
        download(
            session,
            url,
            pulled,
            limit=free if size is None else size,
            sha256=sha256 or reported,
            received=lambda count: received(count, size),
        )
        check_model(pulled, target.suffix)
        pulled.replace(target)
    finally:
        pulled.unlink(missing_ok=True)


def _asked(session: Session, url: str) -> tuple[int | None, str | None]:
    """Size and sha256 of a file, as far as its host reports them; one byte is fetched."""
    import requests

    if urlsplit(url).scheme not in ("http", "https"):
        raise SourceError("is no address of a web site; it must begin with https://")
    try:
        with session.get(
            url,
            headers={"Range": "bytes=0-0", "Accept-Encoding": "identity"},
            stream=True,
            timeout=(CONNECT_SECONDS, STALL_SECONDS),
        ) as answer:
            if answer.status_code not in (200, 206):
                raise SourceError(f"answers {answer.status_code} {answer.reason}")
            digests = [_linked(one.headers) for one in (*answer.history, answer)]
            return _size(answer), next(filter(None, digests), None)
    except requests.ConnectionError:
        raise SourceError("cannot be reached") from None
    except requests.RequestException as error:
        raise SourceError(f"cannot be asked: {error}") from error


def _size(answer: Response) -> int | None:
    reported = answer.headers.get("Content-Range", "").rpartition("/")[2]
    if answer.status_code == 200:
        reported = answer.headers.get("Content-Length", "")
    return int(reported) if reported.isascii() and reported.isdigit() else None


def _linked(headers: Mapping[str, str]) -> str | None:
    named = headers.get(LINKED, "").strip('"').lower()
    return named if SHA256.fullmatch(named) else None


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def check_model(path: Path, suffix: str) -> None:
    """Make sure that a file is what its name says.

    Raises:
        SourceError: it is something else, a page of a web site say.
    """
    with path.open("rb") as file:
        right = (
            _is_safetensors(file, path.stat().st_size)
            if suffix in SAFETENSORS
            else (file.read(1) == ONNX_BEGINS)
        )
    if not right:
        raise SourceError(f"sends something that is no {suffix} file, or a broken one")


def _is_safetensors(file: BinaryIO, size: int) -> bool:
    """Whether the header can be read, and the file is as long as that says."""
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(LARGEST_HEADER, size - 8):
        return False
    try:
        header = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name[:2] != "__"]
        return size == 8 + length + max(ends, default=0)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        return False
