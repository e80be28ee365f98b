"""One file over HTTP: resumed where it broke off, kept only if its digest is right."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.authoring.errors import SoundstageError

if TYPE_CHECKING:
    from requests import Response, Session

CONNECT_SECONDS = 4
STALL_SECONDS = 30
TRIES = 4
CHUNK = 1 << 15  # a connection that breaks off loses less than this


class SourceError(SoundstageError):
    """One source cannot give a file; another may."""


class Unreachable(SourceError):
    """A source's host does not answer at all: no use asking it for the next file."""

    def __init__(self) -> None:
        super().__init__("cannot be reached")


class WrongDigest(SourceError):
    """What was fetched is not what was asked for; it has been removed."""


def download(
    session: Session,
    url: str,
    target: Path,
    *,
    limit: int,
    sha256: str | None,
    received: Callable[[int], None],
) -> None:
    """Fetch `url` into `target`, by way of a ``.part`` file beside it.

    A broken connection is taken up again with a Range request as long as each try brings
    bytes; what came so far stays for the next call.

    Args:
        session: HTTP session.
        url: http or https.
        target: path that exists afterwards, and only if all is well.
        limit: most bytes to accept.
        sha256: lower-case hex digest; None leaves the check to the caller.
        received: called with the number of bytes that are there so far.

    Raises:
        SourceError: unreachable, refused, or broken off too often.
        WrongDigest: complete but not the file that was asked for.
    """
    import requests

    part = target.with_name(target.name + ".part")
    for attempt in range(1, TRIES + 1):
        before = _size(part)
        try:
            _continue(session, url, part, limit, received)
            break
        except requests.RequestException as error:
            if _size(part) <= before or attempt == TRIES:
                raise _refusal(error) from error
    if sha256 is not None and file_sha256(part) != sha256:
        part.unlink()
        raise WrongDigest(f"{target.name} has a wrong sha256; it was removed")
    part.replace(target)


def file_sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _continue(
    session: Session, url: str, part: Path, limit: int, received: Callable[[int], None]
) -> None:
    have = _size(part)
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with session.get(
        url, headers=headers, stream=True, timeout=(CONNECT_SECONDS, STALL_SECONDS)
    ) as response:
        if response.status_code == 416:  # longer than the file is now: nothing to continue
            part.unlink()
            return _continue(session, url, part, limit, received)
        if response.status_code not in (200, 206):
            raise SourceError(f"answered {response.status_code} {response.reason}")
        have = have if _continues(response, have) else 0
        with part.open("ab" if have else "wb") as file:
            for chunk in response.iter_content(CHUNK):
                have += len(chunk)
                if have > limit:
                    break
                file.write(chunk)
                received(have)
    if have > limit:
        part.unlink()
        raise WrongDigest(f"sends more than the {limit} bytes that were asked for")


def _continues(response: Response, have: int) -> bool:
    """Whether the answer starts where the part file ends (a server may send all again)."""
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return response.status_code == 206 and start == str(have)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _refusal(error: Exception) -> SourceError:
    """The last and plainest words of a chain of library errors."""
    from requests import exceptions

    if isinstance(error, exceptions.SSLError):
        return SourceError("has a certificate that is not trusted here")
    if isinstance(error, exceptions.ConnectTimeout):
        return Unreachable()
    if isinstance(error, exceptions.Timeout):
        return SourceError("stops answering")
    if isinstance(error, exceptions.ChunkedEncodingError):
        return SourceError("breaks off again and again")
    if isinstance(error, exceptions.ConnectionError):
        return Unreachable()
    return SourceError(f"fails: {error}")
