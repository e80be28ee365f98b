"""Somebody else's browser app at /, from a folder: `serve --front-end-root`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import ServerFactory
from tests.server.conftest import Caller


@pytest.fixture
def app_folder(tmp_path: Path) -> Path:
    """A browser app of two files, and one beside it that is not part of it."""
    (tmp_path / "secret.txt").write_text("secret")
    root = tmp_path / "app"
    (root / "assets").mkdir(parents=True)
    (root / "extensions" / "core").mkdir(parents=True)
    (root / "index.html").write_text("<title>An app</title>")
    (root / "assets" / "main.js").write_text("start()")
    (root / "extensions" / "core" / "part ä.js").write_text("part()")
    (root / "assets" / "out.txt").symlink_to(tmp_path / "secret.txt")
    return root


@pytest.fixture
async def app(server: ServerFactory, app_folder: Path) -> AsyncGenerator[Caller]:
    service = server("--front-end-root", str(app_folder))
    async with aiohttp.ClientSession() as session:
        yield Caller(service, session)


async def test_the_app_stands_at_the_root_and_our_routes_beside_it(app: Caller):
    assert await app.get("/") == (200, "<title>An app</title>")
    assert await app.get("/assets/main.js") == (200, "start()")
    assert await app.get("/extensions/core/part%20%C3%A4.js") == (200, "part()")
    assert await app.get("/extensions") == (200, [])
    status, answer = await app.get("/prompt")
    assert (status, answer) == (200, {"exec_info": {"queue_remaining": 0}})


@pytest.mark.parametrize(
    "path", ["/nothing.js", "/assets", "/assets/", "/assets/out.txt", "/%2e%2e/secret.txt", "/api"]
)
async def test_nothing_else_is_shown(app: Caller, path: str):
    status, answer = await app.get(path)
    assert status in (403, 404)
    assert set(answer) == {"error", "node_errors"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/user.css", ""),
        ("/api/userdata/user.css", ""),
        ("/api/userdata/comfy.templates.json", []),
        ("/api/userdata?dir=workflows", []),
        ("/api/userdata/workflows%2F.index.json", {}),
        ("/api/userdata?dir=subgraphs", []),
        ("/templates/index.json", []),
        ("/templates/index.de.json", []),
        ("/templates/index_logo.json", {}),
    ],
)
async def test_what_the_app_takes_to_be_there_is_there(app: Caller, path: str, expected: Any):
    assert await app.get(path) == (200, expected)


async def test_the_users_own_style_sheet_is_served_as_one(app: Caller):
    assert (await app.post("/api/userdata/user.css", b"body { color: red }"))[0] == 200
    for path in ("/user.css", "/api/userdata/user.css"):
        async with app.session.get(app.url + path) as got:
            assert (got.status, got.content_type) == (200, "text/css")
            assert await got.text() == "body { color: red }"


async def test_an_app_that_was_installed_says_its_version(server: ServerFactory, tmp_path: Path):
    root = tmp_path / "some_app" / "static"
    root.mkdir(parents=True)
    (root / "index.html").write_text("<title>An app</title>")
    (tmp_path / "some_app-1.58.1.dist-info").mkdir()
    service = server("--front-end-root", str(root))
    async with aiohttp.ClientSession() as session:
        _, stats = await Caller(service, session).get("/system_stats")
    assert stats["system"]["required_frontend_version"] == "1.58.1"
