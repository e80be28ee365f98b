"""A model file by its address: complete and what it says it is, or not there at all."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.models.download import SourceError
from engine.models.one_file import fetch_model
from engine.models.sites import Sites
from tests.models_pull.website import Serving, Site

Serve = Callable[[Site], Serving]
PATH = "/deep/model.safetensors"


def safetensors(count: int = 100_000) -> bytes:
    """A file with one tensor."""
    entry = {"dtype": "U8", "shape": [count], "data_offsets": [0, count]}
    header = json.dumps({"__metadata__": {"a": "b"}, "w": entry}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(n % 251 for n in range(count))


WHOLE = safetensors()
SHA256 = hashlib.sha256(WHOLE).hexdigest()


def fetch(site: Site, target: Path, path: str = PATH, sha256: str | None = None) -> list[int]:
    """Pull a file; how far it was, each time that was told."""
    told: list[int] = []

    def received(done: int, total: int | None) -> None:
        assert total == len(site.files[path])
        told.append(done)

    fetch_model(site.url + path, target, sha256=sha256, sites=Sites(), received=received)
    return told


def test_a_file_comes_whole_and_alone(serve: Serve, tmp_path: Path):
    site = Site(files={PATH: WHOLE})
    serve(site)
    told = fetch(site, tmp_path / "loras" / "sub" / "mine.safetensors", sha256=SHA256)
    assert told[-1] == len(WHOLE)
    folder = tmp_path / "loras" / "sub"
    assert [path.name for path in folder.iterdir()] == ["mine.safetensors"]
    assert (folder / "mine.safetensors").read_bytes() == WHOLE


def test_a_broken_pull_is_gone_on_with(serve: Serve, tmp_path: Path):
    site = Site(files={PATH: WHOLE}, breaks={PATH: [60_000, 0, 0]})
    serve(site)
    target = tmp_path / "mine.safetensors"
    with pytest.raises(SourceError):
        fetch(site, target)
    assert not target.exists()
    site.breaks.clear()
    told = fetch(site, target)
    assert told[0] > 30_000
    assert target.read_bytes() == WHOLE
    _, part = site.asked[-1]
    assert part is not None
    assert not part.startswith("bytes=0-")


@pytest.mark.parametrize(
    ("content", "name", "why"),
    [
        (b"<html>log in first</html>", "x.safetensors", "no .safetensors file"),
        (WHOLE[:-1], "x.safetensors", "no .safetensors file"),
        (WHOLE + b"x", "x.sft", "no .sft file"),
        (struct.pack("<Q", 2**63) + b"{}", "x.safetensors", "no .safetensors file"),
        (struct.pack("<Q", 4) + b"[[1]", "x.safetensors", "no .safetensors file"),
        (b"", "x.safetensors", "no .safetensors file"),
        (b"<html>", "x.onnx", "no .onnx file"),
        (b"\x80\x04pickle", "x.onnx", "no .onnx file"),
    ],
)
def test_what_is_no_model_is_not_kept(
    serve: Serve, tmp_path: Path, content: bytes, name: str, why: str
):
    site = Site(files={PATH: content})
    serve(site)
    with pytest.raises(SourceError, match=why):
        fetch(site, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_file_with_another_hash_is_not_kept(serve: Serve, tmp_path: Path):
    site = Site(files={PATH: WHOLE})
    serve(site)
    with pytest.raises(SourceError, match="sha256"):
        fetch(site, tmp_path / "x.safetensors", sha256="0" * 64)
    site.headers["X-Linked-ETag"] = f'"{"1" * 64}"'
    with pytest.raises(SourceError, match="sha256"):
        fetch(site, tmp_path / "x.safetensors")
    site.headers["X-Linked-ETag"] = f'"{SHA256}"'
    fetch(site, tmp_path / "x.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


def test_a_host_that_has_nothing_is_told_of(serve: Serve, tmp_path: Path):
    site = Site(files={"/other": b""})
    serving = serve(site)
    with pytest.raises(SourceError, match="answers 404"):
        fetch(site, tmp_path / "x.safetensors")
    serving.close()
    with pytest.raises(SourceError, match="cannot be reached"):
        fetch(site, tmp_path / "x.safetensors")
    with pytest.raises(SourceError, match="no address"):
        fetch_model(
            "file:///etc/passwd",
            tmp_path / "x.safetensors",
            sha256=None,
            sites=Sites(),
            received=lambda done, total: None,
        )
