"""Whatever is asked of the lists, settings and cancellations: no fault of the service."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from engine.server.app import ASSET_ROUTES, ROUTES
from tests.conftest import Service
from tests.server.conftest import Caller
from tests.server.test_any_json import VALUES, answer

WORDS = st.text(max_size=12) | st.sampled_from(
    [
        "1",
        "0",
        "-1",
        "asc",
        "desc",
        "created_at",
        "execution_duration",
        "pending",
        "failed,",
        "true",
    ]
)
NAMES = ("status", "workflow_id", "sort_by", "sort_order", "limit", "offset")


@settings(max_examples=100, deadline=None)
@given(query=st.dictionaries(st.sampled_from(NAMES), WORDS))
def test_any_query_of_jobs_is_answered(service: Service, query: dict[str, str]):
    encoded = urllib.parse.urlencode(query, errors="replace")
    status, data = answer(f"{service.url}/api/jobs?{encoded}")
    assert status in (200, 400), data
    told = json.loads(data)
    assert "jobs" in told or told["error"]


@settings(max_examples=150, deadline=None)
@given(
    path=st.sampled_from(["/api/jobs/cancel", "/settings", "/settings/one", "/users"]),
    body=st.dictionaries(st.sampled_from(["job_ids", "username", "a"]), VALUES) | VALUES,
)
def test_any_body_is_taken_or_refused(service: Service, path: str, body: Any):
    status, data = answer(service.url + path, json.dumps(body).encode())
    assert status in (200, 400), data
    assert status == 200 or json.loads(data)["error"]
    assert answer(service.url + "/settings")[0] == 200


@settings(max_examples=50, deadline=None)
@given(word=st.text(max_size=30))
def test_any_id_is_answered(service: Service, word: str):
    id = urllib.parse.quote(word.encode(errors="replace"), safe="")
    for path in (f"/api/jobs/{id}", f"/settings/{id}", f"/models/{id}", f"/global_subgraphs/{id}"):
        status, data = answer(service.url + path)
        assert status in (200, 404), (path, data)
        json.loads(data)


HOSTILE = (
    *("", "0", "-1", "9" * 5000, "1e9", "NaN", "null", "[", "..", "../..", "/etc/passwd", "a\0b"),
    *("x" * 3000, "é\u2603", "a\\b", "\r\nX: y", "blake3:" + "0" * 64, "a,,b", "W10", "'; --", "."),
)
PAGE, PLACE = ("limit", "offset"), ("filename", "subfolder", "type")
TAGS = ("tags_all", "tags_any", "tags_none", "name_contains")
PARAMETERS = {
    "/history": ("max_items", "offset"),
    "/jobs": (*PAGE, "status", "workflow_id", "sort_by", "sort_order"),
    "/gallery": (*PAGE, *PLACE, "query", "kind", "workflow", "node", "before"),
    "/view": (*PLACE, "preview", "channel", "size"),
    "/view_metadata/{folder}": ("filename",),
    "/userdata": ("dir", "recurse", "full_info", "split"),
    "/v2/userdata": ("path",),
    "/ws": ("clientId", "since"),
    "/api/assets": (*PAGE, *TAGS, "after", "sort", "order"),
    "/api/tags": (*PAGE, "order", "prefix"),
    "/api/assets/tags/refine": TAGS,
}


def hostile_addresses() -> Iterator[str]:
    """Every route that is read, with each of those words in each place where it takes one."""
    for route in (*ROUTES, *ASSET_ROUTES):
        if route.method != "GET":
            continue
        for word in map(urllib.parse.quote, HOSTILE):
            plain = re.sub(r"{folder}", "loras", route.path)
            for parameter in PARAMETERS.get(route.path, ()):
                yield f"{plain}?{parameter}={word}"
            if "{" in route.path:
                yield re.sub(r"{[^}]*}", word.replace("/", "%2F"), route.path)


async def test_no_route_fails_whatever_it_is_asked(call: Caller):
    async def asked(address: str) -> None:
        async with call.session.get(URL(call.url + address, encoded=True)) as told:
            body = await told.read()
            assert told.status < 500, (address, body)
            assert b"Traceback" not in body, address

    async with asyncio.TaskGroup() as group:
        for address in hostile_addresses():
            group.create_task(asked(address))
