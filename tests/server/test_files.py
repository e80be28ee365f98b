"""/view and /upload/image: files in, files out, and never a path out of the folders."""

from __future__ import annotations

import io
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from PIL import Image

from tests.conftest import ServerFactory, Service
from tests.server.conftest import Caller


def png(size: tuple[int, int] = (8, 4), color: Any = (200, 100, 50, 128)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA", size, color).save(buffer, "PNG")
    return buffer.getvalue()


def form(name: str, data: bytes = b"bytes", **fields: str) -> aiohttp.FormData:
    made = aiohttp.FormData(quote_fields=False)
    for field, value in fields.items():
        made.add_field(field, value)
    made.add_field("image", data, filename=name, content_type="image/png")
    return made


def raw_form(name: str) -> bytes:
    """A form as only a hostile client writes it."""
    return (
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="'
        + name.encode()
        + b'"\r\n\r\nx\r\n--x--\r\n'
    )


async def upload(call: Caller, made: aiohttp.FormData) -> tuple[int, Any]:
    async with call.session.post(call.url + "/upload/image", data=made) as answer:
        return answer.status, await answer.json()


async def test_an_upload_can_be_viewed(call: Caller, service: Service):
    status, stored = await upload(call, form("a picture.png", png()))
    asset = stored.pop("asset")
    assert (status, stored) == (200, {"name": "a picture.png", "subfolder": "", "type": "input"})
    assert (asset["name"], asset["size"]) == ("a picture.png", len(png()))
    query = "/view?filename=a%20picture.png&type=input"
    async with call.session.get(call.url + query) as answer:
        assert answer.status == 200
        assert await answer.read() == png()
        assert answer.content_type == "image/png"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert 'filename="a picture.png"' in answer.headers["Content-Disposition"]
        etag = answer.headers["ETag"]
    async with call.session.get(call.url + query, headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304
    async with call.session.get(call.url + query, headers={"Range": "bytes=1-3"}) as answer:
        assert answer.status == 206
        assert await answer.read() == b"PNG"
    assert (await call.get("/view?filename=a%20picture.png%20[input]"))[0] == 200
    assert not [path for path in (service.home / "temp").iterdir() if path.suffix == ".part"]


async def test_the_same_bytes_keep_their_name_and_others_get_a_number(call: Caller):
    for data, name in ((b"one", "x.png"), (b"one", "x.png"), (b"two", "x (1).png")):
        assert (await upload(call, form("x.png", data)))[1]["name"] == name
    assert (await upload(call, form("x.png", b"new", overwrite="true")))[1]["name"] == "x.png"
    assert await call.get("/view?filename=x.png&type=input") == (200, "new")


@pytest.mark.parametrize("after", [False, True])
async def test_fields_may_come_before_or_after_the_file(call: Caller, after: bool):
    made = aiohttp.FormData()
    fields = (("type", "temp"), ("subfolder", "deep/er"))
    for name, value in () if after else fields:
        made.add_field(name, value)
    made.add_field("image", b"x", filename="y.png")
    for name, value in fields if after else ():
        made.add_field(name, value)
    status, stored = await upload(call, made)
    assert stored.pop("asset")["tags"] == ["temp"]
    assert (status, stored) == (200, {"name": "y.png", "subfolder": "deep/er", "type": "temp"})
    assert (await call.get("/view?filename=y.png&type=temp&subfolder=deep/er"))[0] == 200


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("../x.png", {}),
        ("a/b.png", {}),
        ("a\\b.png", {}),
        ("/etc/x.png", {}),
        (".hidden", {}),
        ("..", {}),
        ("n" * 300, {}),
        ("x.png", {"subfolder": "../../x"}),
        ("x.png", {"subfolder": "/etc"}),
        ("x.png", {"subfolder": "a\0b"}),
        ("x.png", {"type": "models"}),
    ],
)
async def test_names_that_lead_elsewhere_are_refused(
    call: Caller, service: Service, name: str, fields: dict[str, str]
):
    before = sorted(service.home.rglob("*"))
    status, answer = await upload(call, form(name, b"x", **fields))
    assert status == 400
    assert answer["error"]["message"]
    after = sorted(path for path in service.home.rglob("*") if path.suffix != ".db-wal")
    assert [path for path in after if path not in before] == []


async def test_forms_without_a_file_are_refused(call: Caller):
    text = aiohttp.FormData(default_to_multipart=True)
    text.add_field("image", "no file")
    assert (await upload(call, text))[0] == 400
    made = aiohttp.FormData({"type": "input"})
    made.add_field("other", b"x", filename="x.png")
    assert (await upload(call, made))[0] == 400
    many = form("x.png", b"x", **{f"field{number}": "x" for number in range(20)})
    assert (await upload(call, many))[0] == 400
    assert (await call.post("/upload/image", {"image": "x"}))[0] == 400
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await call.post("/upload/image", b"no form", headers=broken))[0] == 400
    assert (await call.post("/upload/image", b"--x\r\nbad", headers=broken))[0] == 400
    for name in ("", "a\0b.png", "a\x1bb.png", "/etc/x.png", "C:\\\\x.png"):
        status, answer = await call.post("/upload/image", raw_form(name), headers=broken)
        assert status == 400, answer
    none = {"Content-Type": "multipart/form-data"}
    assert (await call.post("/upload/image", b"no form", headers=none))[0] == 400


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 404),
        ("filename=", 400),
        ("filename=../soundstage.db", 400),
        ("filename=..%2Fsoundstage.db", 400),
        ("filename=/etc/passwd", 400),
        ("filename=passwd&subfolder=/etc", 403),
        ("filename=soundstage.db&subfolder=..", 403),
        ("filename=passwd&subfolder=../../../../../../etc", 403),
        ("filename=x&type=models", 400),
        ("filename=x%00y", 403),
        ("filename=missing.png", 404),
        ("filename=" + "x" * 5000, 403),
        ("filename=link.txt", 403),
        ("filename=.", 404),
        ("filename=note.txt&preview=webp", 400),
        ("filename=note.txt&channel=green", 400),
    ],
)
async def test_view_refuses_what_it_must(call: Caller, service: Service, query: str, status: int):
    output = service.home / "output"
    (output / "note.txt").write_text("text")
    link = output / "link.txt"
    if not link.is_symlink():
        link.symlink_to(service.home / "soundstage.db")
    answered, body = await call.get(f"/view?{query}")
    assert answered == status
    assert body["error"]["message"]


async def test_a_file_that_is_gone_is_nothing_to_who_asks_for_that(call: Caller):
    asked = "/view?filename=missing.png&type=output&preview=webp;60"
    assert (await call.get(asked))[0] == 404
    async with call.session.get(f"{call.url}{asked}&absent=empty") as answer:
        assert (answer.status, await answer.read()) == (204, b"")


async def test_previews_and_channels_are_encoded_anew(call: Caller, service: Service):
    (service.home / "output" / "p.png").write_bytes(png())

    async def view(query: str) -> Image.Image:
        async with call.session.get(f"{call.url}/view?filename=p.png&{query}") as answer:
            assert answer.status == 200
            return Image.open(io.BytesIO(await answer.read()))

    for quality in ("90", "0", "", "high", "9" * 5000):
        assert (await view(f"preview=webp;{quality}")).format == "WEBP"
    jpeg = await view("preview=jpeg;50")
    assert (jpeg.format, jpeg.mode, jpeg.size) == ("JPEG", "RGB", (8, 4))
    rgb = await view("channel=rgb")
    assert (rgb.format, rgb.getpixel((0, 0))) == ("PNG", (200, 100, 50))
    assert (await view("channel=a")).getpixel((0, 0)) == (0, 0, 0, 128)
    assert (await view("preview=webp&size=4")).size == (4, 2)
    assert (await view("preview=webp&size=400")).size == (8, 4)
    assert (await call.get("/view?filename=p.png&preview=webp&size=0"))[0] == 400


async def test_a_preview_is_sent_again_only_when_its_file_changed(call: Caller, service: Service):
    file = service.home / "output" / "kept.png"
    address = f"{call.url}/view?filename=kept.png&preview=webp;75&size=4"
    file.write_bytes(png())
    async with call.session.get(address) as answer:
        known = {"If-None-Match": answer.headers["ETag"]}
    async with call.session.get(address, headers=known) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
    async with call.session.get(f"{address}0", headers=known) as answer:
        assert answer.status == 200
    file.write_bytes(png(size=(9, 9)))
    async with call.session.get(address, headers=known) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    ("name", "kind", "shown"),
    [
        ("p.png", "image/png", "inline"),
        ("a.wav", "audio/x-wav", "inline"),
        ("v.mp4", "video/mp4", "inline"),
        ("h.html", "application/octet-stream", "attachment"),
        ("s.svg", "application/octet-stream", "attachment"),
        ("j.js", "application/octet-stream", "attachment"),
        ("m.safetensors", "application/octet-stream", "attachment"),
        ("x.png.gz", "application/octet-stream", "attachment"),
    ],
)
async def test_only_media_are_shown_inline(
    call: Caller, service: Service, name: str, kind: str, shown: str
):
    (service.home / "output" / name).write_bytes(b"<script>")
    async with call.session.get(f"{call.url}/view?filename={name}") as answer:
        assert answer.content_type == kind
        assert answer.headers["Content-Disposition"].startswith(shown)


def memory_of(pid: int) -> int:
    """Most bytes of memory that a process ever held."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


async def test_a_declared_two_gigabyte_upload_is_refused_at_once(call: Caller, service: Service):
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname or "", address.port or 0), 20) as sent:
        sent.sendall(
            b"POST /upload/image HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2147483648\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
        )
        answer = sent.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"--max-upload-size" in answer


async def test_an_endless_upload_is_cut_off_in_flat_memory(server: ServerFactory):
    service = server("--max-upload-size", "8")
    chunk = b"x" * 2**20
    before = memory_of(service.process.pid)

    async def endless():
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\n\r\n'
        for _ in range(2048):
            yield chunk

    async with aiohttp.ClientSession() as session:
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        address = service.url + "/upload/image"
        async with session.post(address, data=endless(), headers=kind) as answer:
            assert answer.status == 413
            assert (await answer.json())["error"]["type"] == "request_entity_too_large"
        assert memory_of(service.process.pid) - before < 40 * 2**20
        assert list((service.home / "temp").iterdir()) == []
        async with session.get(service.url + "/prompt") as answer:
            assert answer.status == 200
        large = io.BytesIO(b'{"prompt": "' + b"x" * 9 * 2**20 + b'"}')
        async with session.post(service.url + "/prompt", data=large) as answer:
            assert answer.status == 413
