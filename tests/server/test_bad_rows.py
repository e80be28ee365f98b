"""A home whose database holds rows that cannot be read: they cost no other row anything."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from engine.store.db import Database
from tests.conftest import ServerFactory
from tests.server.conftest import Caller, chain
from tests.store.test_row_decoder import BAD_ROWS, ENDED, JOBS, good, put

METADATA = ("{", "", "[]", "null", b"\xff", 5)
READ = ("/queue", "/history", "/history?max_items=2", "/api/jobs", "/api/gallery", "/api/assets")


@pytest.fixture
async def call(server: ServerFactory, tmp_path: Path) -> AsyncGenerator[Caller]:
    home = tmp_path / "home"
    home.mkdir()
    database = await Database.open(home / "soundstage.db")
    for place, (job, outcome) in enumerate(BAD_ROWS):
        put(database, f"ended {place}", job, outcome, 2 * place)
        put(database, f"fine {place}", good(f"fine {place}"), ENDED, 2 * place + 1)
    for place, job in enumerate(JOBS):
        put(database, f"waits {place}", job)
    for place, metadata in enumerate(METADATA):
        (home / "input").mkdir(exist_ok=True)
        (home / "input" / f"{place}.png").write_bytes(b"x")
        database.execute(
            "INSERT INTO assets (id, folder, file, name, size, modified, metadata, created, "
            "updated, accessed) VALUES (?, 'input', ?, 'x', 1, 1, ?, 1, 1, 1)",
            (f"asset {place}", f"{place}.png", metadata),
        )
    await database.close()
    service = server("--nodes", "tests.pack", home=home)
    async with aiohttp.ClientSession() as session:
        yield Caller(service, session)


async def test_every_list_is_read_and_the_rows_can_be_removed(call: Caller):
    async with call.ear("me") as ear:
        id = await call.submit(chain(), client_id="me")
        await ear.over(id)
    for path in READ:
        status, told = await call.get(path)
        assert status == 200, (path, told)
    _, told = await call.get("/api/assets")
    assert {f"asset {place}" for place in range(len(METADATA))} <= {a["id"] for a in told["assets"]}
    _, history = await call.get("/history")
    assert {f"fine {place}" for place in range(len(BAD_ROWS))} | {id} <= set(history)
    pages: list[Any] = []
    more, limit = True, 10
    while more:
        _, told = await call.get(f"/api/jobs?limit={limit}&offset={limit * len(pages)}")
        pages.append(told["jobs"])
        more = told["pagination"]["has_more"]
        assert len(pages) < 100, "the pages never end"
    assert {job["id"] for page in pages for job in page} >= {id, "fine 0"}
    for place in range(len(BAD_ROWS)):
        status, told = await call.get(f"/api/jobs/ended%20{place}")
        assert status == 404, told
        assert await call.get(f"/history/ended%20{place}") == (200, {})
    status, _ = await call.post("/history", json.dumps({"delete": ["ended 0", "waits 0"]}))
    assert status == 200
    _, logs = await call.get("/internal/logs")
    assert logs.count("'ended 1' cannot be read") in (1, 2)
    assert (await call.post("/history", {"clear": True}))[0] == 200
    _, told = await call.get("/api/jobs")
    assert told["pagination"]["total"] == 0
