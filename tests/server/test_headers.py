"""What answers say besides their content: how long it keeps, in what form it comes."""

from __future__ import annotations

import gzip
import json

import aiohttp
import pytest
from multidict import CIMultiDictProxy

from tests.conftest import ServerFactory, Service
from tests.server.conftest import Caller


async def headers(call: Caller, path: str, **sent: str) -> tuple[int, CIMultiDictProxy[str]]:
    async with call.session.get(call.url + path, headers=sent) as answer:
        return answer.status, answer.headers


@pytest.mark.parametrize(
    ("path", "status", "kept"),
    [
        ("/nothing/x.js", 404, "no-cache"),
        ("/nothing/x.css", 404, "no-cache"),
        ("/nothing/index.en.json", 404, "no-cache"),
        ("/nothing/x.png", 404, "public, max-age=3600"),
        ("/nothing/x.WEBP", 404, "public, max-age=3600"),
        ("/object_info", 200, "no-cache"),
        ("/queue", 200, None),
        ("/api/nothing.txt", 404, None),
    ],
)
async def test_how_long_an_answer_keeps(call: Caller, path: str, status: int, kept: str | None):
    answered, told = await headers(call, path)
    assert (answered, told.get("Cache-Control")) == (status, kept)
    assert told["X-Content-Type-Options"] == "nosniff"


async def test_a_saved_file_is_asked_for_again_and_not_sent_again(call: Caller, service: Service):
    (service.home / "output" / "a.png").write_bytes(b"one")
    for path in ("/view?filename=a.png", "/api/view?filename=a.png%20[output]"):
        status, told = await headers(call, path)
        assert (status, told["Cache-Control"]) == (200, "no-cache")
        status, _ = await headers(call, path, **{"If-None-Match": told["ETag"]})
        assert status == 304
    (service.home / "output" / "a.png").write_bytes(b"other")
    status, _ = await headers(call, path, **{"If-None-Match": told["ETag"]})
    assert status == 200


async def test_long_text_is_sent_compressed_where_asked_for(server: ServerFactory):
    service = server("--enable-compress-response-body")
    (service.home / "output" / "a.png").write_bytes(b"x" * 5000)
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        url, takes = service.url, {"Accept-Encoding": "gzip"}
        async with session.get(url + "/object_info", headers=takes) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert "KSampler" in json.loads(gzip.decompress(await answer.read()))
        for path in ("/prompt", "/view?filename=a.png"):
            async with session.get(url + path, headers=takes) as answer:
                assert "Content-Encoding" not in answer.headers
        async with session.get(url + "/object_info", headers={"Accept-Encoding": ""}) as answer:
            assert "Content-Encoding" not in answer.headers
